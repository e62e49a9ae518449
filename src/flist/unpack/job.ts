import type { Loss } from '../../tree/restore.ts';
import { initBlockCodec } from '../block/block-codec.ts';
import { blockCountAt } from '../manifest/manifest-columns.ts';
import type { BlockSupply } from './block-supply.ts';
import { FileVerifier } from './file-verifier.ts';
import { FileWriter, type Piece } from './file-writer.ts';
import { UnfinishedFiles, type UnpackSettings } from './unfinished-files.ts';

/** Work on a few files or parts of files, for one thread. */
export interface Job {
  readonly doing: 'write' | 'verify';
  readonly pieces: readonly Piece[];
}

/** What the files in a row could not be given. */
export interface RowLoss {
  readonly row: number;
  readonly loss: Loss;
}

export interface JobResult {
  readonly losses: readonly RowLoss[];
  /** Rows of files that do not have the hashes of the manifest. */
  readonly wrong: readonly number[];
}

/** Does jobs. */
export class JobRunner {
  readonly #settings: UnpackSettings;
  readonly #files: UnfinishedFiles;
  readonly #writer: FileWriter;
  readonly #verifier: FileVerifier;
  readonly #losses: RowLoss[];

  private constructor(
    settings: UnpackSettings,
    files: UnfinishedFiles,
    writer: FileWriter,
    verifier: FileVerifier,
    losses: RowLoss[],
  ) {
    this.#settings = settings;
    this.#files = files;
    this.#writer = writer;
    this.#verifier = verifier;
    this.#losses = losses;
  }

  static async create(settings: UnpackSettings, supply: BlockSupply): Promise<JobRunner> {
    await initBlockCodec();
    const { columns, root } = settings;
    const losses: RowLoss[] = [];
    const files = await UnfinishedFiles.create(settings, (row, loss) => losses.push({ row, loss }));
    const writer = new FileWriter(columns, files, supply);
    return new JobRunner(settings, files, writer, await FileVerifier.create(columns, root), losses);
  }

  async run({ doing, pieces }: Job): Promise<JobResult> {
    const wrong: number[] = [];
    for (const piece of pieces) {
      const isWhole = piece.from === 0 && piece.to === blockCountAt(this.#settings.columns, piece.row);
      if (doing === 'verify') {
        if (!this.#verifier.holds(piece)) wrong.push(piece.row);
      } else if (isWhole) await this.#writer.write(piece.row);
      else await this.#writer.writePart(piece);
    }
    return { losses: this.#losses.splice(0), wrong };
  }

  close(): void {
    this.#files.close();
    this.#verifier.close();
  }
}
