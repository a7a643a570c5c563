// Names that documents may use in `<!-- generated:NAME -->`, and what writes the text between the marks.

/** Returns Markdown, the same text for the same sources. */
type Generator = () => string | Promise<string>;

export const generators: Readonly<Record<string, Generator>> = {};
