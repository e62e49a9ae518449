/** What threads share to know which store last gave a block of each file. */
export interface SharedFileStores {
  /** By row: the place of the store among `addresses` + 1; 0 when none has given any. */
  readonly places: Uint8Array;
  readonly addresses: readonly string[];
}

/** Which store last gave a block of each file. For any thread. */
export class FileStores {
  readonly shared: SharedFileStores;

  constructor(shared: SharedFileStores) {
    this.shared = shared;
  }

  /** @param addresses of the stores, without secrets; the first 255 of them are told apart */
  static create(rows: number, addresses: readonly string[]): FileStores {
    return new FileStores({ places: new Uint8Array(new SharedArrayBuffer(rows)), addresses });
  }

  /** The store at a place gave a block of the file in a row. */
  gave(row: number, store: number): void {
    if (store >= 0 && store < 0xff) this.shared.places[row] = store + 1;
  }

  addressOf(row: number): string | undefined {
    return this.shared.addresses[this.shared.places[row]! - 1];
  }
}
