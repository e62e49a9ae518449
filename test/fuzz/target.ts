import type { Random } from './random.ts';

/** Something that reads bytes from outside. */
export interface Target {
  readonly name: string;
  /** The directory of its inputs in `test/fuzz/corpus`. */
  readonly corpus: string;
  /**
   * Takes an input: ends in a value, or throws a `Failure`; anything else is a bug.
   * @param random for what more there is to choose, such as the pieces in which the input comes
   * @param directory an empty one, to be left empty
   */
  readonly run: (bytes: Buffer, random: Random, directory: string) => Promise<void> | void;
  /** How much of the time it gets in comparison with others; 1 when left out. */
  readonly share?: number;
  /** Whether `run` itself makes the changes. */
  readonly isMutatedByItself?: boolean;
  /** Makes checksums of a changed input right again, so that what is behind them is reached. */
  readonly mend?: (bytes: Buffer) => void;
}
