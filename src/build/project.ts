import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The directory that holds package.json, `src/` and the embedded `config/` of zosbuilder itself. */
export const packageRoot = resolve(import.meta.dirname, '../..');

/** Where one build reads and writes: recipe, state that may be deleted, results. */
export interface Project {
  readonly directory: string;
  /** The recipe: `config/` of the project, or the embedded one when the project has none. */
  readonly config: string;
  /** Caches and records; content-addressed, safe to delete. */
  readonly state: string;
  readonly dist: string;
}

export interface ProjectOptions {
  readonly config?: string;
  readonly state?: string;
  readonly dist?: string;
}

/** The project in `directory`, the current one by default. */
export function projectAt(directory = process.cwd(), options: ProjectOptions = {}): Project {
  const own = join(directory, 'config');
  return {
    directory,
    config: resolve(
      directory,
      options.config ?? (existsSync(join(own, 'image.yaml')) ? own : join(packageRoot, 'config')),
    ),
    state: resolve(directory, options.state ?? '.zosbuilder'),
    dist: resolve(directory, options.dist ?? 'dist'),
  };
}
