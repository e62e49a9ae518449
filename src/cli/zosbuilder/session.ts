import type { Command } from 'commander';
import { openSession, type Session } from '../../build/session.ts';
import type { CommonOptions } from '../face.ts';

/** The options of every verb that is about a project. */
export interface ProjectCommandOptions extends CommonOptions {
  readonly profile?: string;
  readonly config?: string;
  readonly state?: string;
  readonly dist?: string;
  readonly json?: boolean;
}

export function withProjectOptions(command: Command): Command {
  return command
    .option('--profile <name>', 'a profile of config/profiles in place of the one in image.yaml')
    .option('--config <dir>', 'the recipe (default: config/ here, else the embedded one)')
    .option('--state <dir>', 'caches and records; safe to delete (default: .zosbuilder)')
    .option('--dist <dir>', 'the results (default: dist)');
}

export function sessionOf(options: ProjectCommandOptions): Promise<Session> {
  return openSession(options);
}
