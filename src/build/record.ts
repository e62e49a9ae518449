import { join } from 'node:path';
import { readTextIfPresent, writeAtomic } from '../base/files.ts';
import type { StageName } from './stage.ts';

/** What is remembered of the last run of a stage. */
export interface StageRecord {
  readonly stage: StageName;
  /** Digest of every declared input by name, with the stage's own code as `code`. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Digest of every tree that was made. */
  readonly trees: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, unknown>>;
  readonly note: string;
  /** Why it ran. */
  readonly reasons: readonly string[];
  readonly milliseconds: number;
  /** Highest resident memory of the process during the stage, in bytes. */
  readonly peakMemory: number;
}

/** The records of a project, one JSON file a stage; written only after a stage succeeded. */
export class Records {
  readonly #directory: string;
  readonly #known = new Map<StageName, StageRecord | undefined>();

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, 'stages');
  }

  #path(stage: StageName): string {
    return join(this.#directory, `${stage}.json`);
  }

  /** The record of a stage, or undefined when it never succeeded (or its record is unreadable, which is the same). */
  async read(stage: StageName): Promise<StageRecord | undefined> {
    if (!this.#known.has(stage)) {
      const text = await readTextIfPresent(this.#path(stage));
      let record: StageRecord | undefined;
      try {
        record = text === undefined ? undefined : (JSON.parse(text) as StageRecord);
      } catch {
        record = undefined;
      }
      this.#known.set(stage, record);
    }
    return this.#known.get(stage);
  }

  async write(record: StageRecord): Promise<void> {
    await writeAtomic(this.#path(record.stage), `${JSON.stringify(record)}\n`);
    this.#known.set(record.stage, record);
  }
}
