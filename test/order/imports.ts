/** What each file imports: static, dynamic, for types only, for its effects, and what it exports again. */
import { posix } from 'node:path';
import ts from 'typescript';

/** Paths from the root of the repository, with their text. */
export type Tree = ReadonlyMap<string, string>;

export interface Import {
  readonly from: string;
  /** The line of the import, counted from 1. */
  readonly line: number;
  /** The file that is imported, or the name of a package: `packages/node/src/mqtt.ts`, `@srup/node`, `node:fs`. */
  readonly to: string;
}

/**
 * The imports of all files of the tree, in the order of the files. The parser of the TypeScript compiler finds them, so
 * that text in comments and strings does not count. An `import()` of an expression names no file and is left out.
 *
 * @example
 * readImports(new Map([['a.ts', "export * from './b.ts';"]])); // [{ from: 'a.ts', line: 1, to: 'b.ts' }]
 */
export function readImports(tree: Tree): Import[] {
  return [...tree].flatMap(([from, text]) => {
    const file = ts.createSourceFile(from, text, ts.ScriptTarget.Latest);
    return specifiers(file).map((specifier) => ({
      from,
      line: file.getLineAndCharacterOfPosition(specifier.getStart(file)).line + 1,
      to: resolved(from, specifier.text),
    }));
  });
}

function resolved(from: string, specifier: string): string {
  return /^\.{1,2}\//.test(specifier) ? posix.join(posix.dirname(from), specifier) : specifier;
}

function specifiers(file: ts.SourceFile): ts.StringLiteral[] {
  const found: ts.StringLiteral[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined && ts.isStringLiteral(specifier)) found.push(specifier);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isImportTypeNode(node))
    return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return node.arguments[0];
  return undefined;
}
