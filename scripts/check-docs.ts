// `npm run docs` rewrites the generated parts of the documents; `npm run docs:check` fails when one is out of date or
// when a link between documents leads nowhere.
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { generators } from './docs-generators.ts';
import { root } from './workspaces.ts';

/** A fenced example, which is left alone, or a generated part with its name. */
const FENCE_OR_BLOCK = /^(```|~~~)[\s\S]*?^\1|<!-- generated:([\w-]+) -->\n[\s\S]*?<!-- \/generated -->/gm;
const LINK = /\[[^\]]*\]\(([^)\s]+)(?: "[^"]*")?\)/g;
const FENCE = /^(```|~~~)[\s\S]*?^\1/gm;
const INLINE_CODE = /`[^`\n]*`/g;
const NOT_OURS = ['node_modules', 'dist', 'coverage', '.srup'];

interface Problem {
  readonly file: string;
  readonly text: string;
}

function markdownFiles(): string[] {
  const exclude = (name: string): boolean => NOT_OURS.some((folder) => name.split('/').includes(folder));
  return globSync('**/*.md', { cwd: root, exclude }).sort();
}

function generatedNames(text: string): string[] {
  return [...text.matchAll(FENCE_OR_BLOCK)].flatMap(([, , name]) => name ?? []);
}

async function regenerate(file: string, text: string): Promise<string> {
  const parts = new Map<string, string>();
  for (const name of generatedNames(text)) parts.set(name, (await generators[name]?.()) ?? '');
  const result = text.replace(FENCE_OR_BLOCK, (block, _fence, name?: string) =>
    name === undefined
      ? block
      : `<!-- generated:${name} -->\n\n${parts.get(name)?.trim() ?? ''}\n\n<!-- /generated -->`,
  );
  if (result === text) return text;
  // Formatted here, so that the formatter and this check never disagree.
  return format(result, { ...(await resolveConfig(join(root, file))), parser: 'markdown' });
}

/** The anchors of the headings: in lower case, without punctuation, with hyphens for spaces, repeats numbered. */
function anchors(markdown: string): Set<string> {
  const seen = new Map<string, number>();
  const result = new Set<string>();
  const headings = markdown.replace(FENCE, '').matchAll(/^#{1,6} +(.+?)\s*#*$/gm);
  for (const [, heading = ''] of headings) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    const repeats = seen.get(slug) ?? 0;
    seen.set(slug, repeats + 1);
    result.add(repeats === 0 ? slug : `${slug}-${repeats}`);
  }
  for (const [, id = ''] of markdown.matchAll(/<a (?:id|name)="([^"]+)"/g)) result.add(id);
  return result;
}

function linkFault(file: string, target: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return undefined;
  const [path = '', fragment] = decodeURI(target).split('#');
  const wanted = path === '' ? join(root, file) : resolve(root, dirname(file), path);
  if (relative(root, wanted).startsWith('..')) return 'leads out of the repository';
  if (!existsSync(wanted)) return 'leads nowhere';
  if (fragment === undefined || !wanted.endsWith('.md') || !statSync(wanted).isFile()) return undefined;
  return anchors(readFileSync(wanted, 'utf8')).has(fragment) ? undefined : `has no heading #${fragment}`;
}

function brokenLinks(file: string, text: string): Problem[] {
  const targets = [...text.replace(FENCE, '').replace(INLINE_CODE, '').matchAll(LINK)].map(
    ([, link = '']) => link,
  );
  return targets.flatMap((target) => {
    const fault = linkFault(file, target);
    return fault === undefined ? [] : [{ file, text: `the link ${target} ${fault}` }];
  });
}

function badMarks(file: string, text: string): Problem[] {
  const unknown = generatedNames(text).filter((name) => generators[name] === undefined);
  const problems = unknown.map((name) => `no generator is called "${name}" (scripts/docs-generators.ts)`);
  if (text.replace(FENCE_OR_BLOCK, '').replace(INLINE_CODE, '').includes('<!-- generated:')) {
    problems.push('a "generated" mark has no closing mark');
  }
  return problems.map((problem) => ({ file, text: problem }));
}

async function examine(file: string, write: boolean): Promise<Problem[]> {
  const text = readFileSync(join(root, file), 'utf8');
  const marks = badMarks(file, text);
  if (marks.length > 0) return marks;
  const wanted = await regenerate(file, text);
  if (wanted === text) return brokenLinks(file, text);
  if (!write) return [{ file, text: 'is out of date; `npm run docs` brings it up to date' }];
  writeFileSync(join(root, file), wanted);
  console.log(`${file}: written`);
  return brokenLinks(file, wanted);
}

const write = process.argv.includes('--write');
const files = markdownFiles();
const problems = (await Promise.all(files.map((file) => examine(file, write)))).flat();
for (const { file, text } of problems) console.error(`${file}: ${text}`);
if (problems.length > 0) process.exit(1);
console.log(`${files.length} documents: generated parts and links are good`);
