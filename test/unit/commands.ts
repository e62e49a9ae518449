import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Command, type Option } from 'commander';
import { withProjectOptions } from '../../src/cli/zosbuilder/session.ts';
import { root } from './markdown.ts';

export const faces = ['zosbuilder', 'rfs'] as const;
export type Face = (typeof faces)[number];

/** A command that does something, as its module defines it. */
export interface Leaf {
  /** How it is called, with its arguments: `rfs flist tree <target>`. */
  readonly usage: string;
  /** Its own options and those of the commands above it, without those of every command of its face. */
  readonly options: readonly Option[];
}

const [zosbuilder, rfs] = faces.map((face) =>
  execFileSync(process.execPath, [join(root, `src/cli/${face}.ts`), '--help'], { encoding: 'utf8' }),
) as [string, string];
const help: Readonly<Record<Face, string>> = { zosbuilder, rfs };

/** The flags of the options that every command of a face has. */
export function commonFlags(face: Face): string[] {
  const options = /^Options:\n([\s\S]*?)\n\n/m.exec(help[face])![1]!;
  const own = [...options.matchAll(/^ {2}(-.*?) {2,}/gm)].map((match) => match[1]!);
  const ofFace = own.filter((flags) => !/--(help|version)$/.test(flags));
  return face === 'rfs' ? ofFace : [...ofFace, ...withProjectOptions(new Command()).options.map(flagsOf)];
}

export const flagsOf = ({ flags }: Option): string => flags;

/** Every command of a face, from the verbs that its help names and what their modules define. */
export async function leavesOf(face: Face): Promise<Leaf[]> {
  const verbs = /^Commands:\n([\s\S]*)/m.exec(help[face])![1]!;
  const names = [...verbs.matchAll(/^ {2}([\w-]+) /gm)].map((match) => match[1]!);
  const common = commonFlags(face);
  const leaves: Leaf[] = [];
  for (const name of names.filter((verb) => verb !== 'help')) {
    const { default: define } = (await import(join(root, `src/cli/${face}/${name}.ts`))) as {
      default: (command: Command) => void;
    };
    const command = new Command(name);
    define(command);
    leaves.push(...leavesBelow(command, face, [], common));
  }
  return leaves;
}

function leavesBelow(
  command: Command,
  path: string,
  inherited: readonly Option[],
  common: readonly string[],
): Leaf[] {
  const name = `${path} ${command.name()}`;
  const options = [...inherited, ...command.options.filter(({ flags }) => !common.includes(flags))];
  if (command.commands.length > 0)
    return command.commands.flatMap((child) => leavesBelow(child, name, options, common));
  const args = command.registeredArguments.map((argument) => {
    const shown = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${shown}>` : `[${shown}]`;
  });
  return [{ usage: [name, ...args].join(' '), options }];
}
