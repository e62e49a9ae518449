import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What the module of `snappy-wasm` exports; the names are those of wasm-bindgen. */
interface SnappyModule {
  readonly memory: WebAssembly.Memory;
  /** Takes the input over and frees it; writes place and length of the result to `result`. */
  compress_raw(result: number, input: number, size: number): void;
  __wbindgen_add_to_stack_pointer(change: number): number;
  __wbindgen_malloc(size: number): number;
  __wbindgen_free(place: number, size: number): void;
}

interface Piece {
  readonly place: number;
  readonly size: number;
}

/** Room on the module's stack for a place and a length. */
const resultRoom = 16;

/**
 * The encoder of the Rust crate `snap`, whose very bytes are part of the format (flist format, section 2.3), in WebAssembly: it
 * works in one memory of its own, so that a thread that encodes asks the system for no pages, which would keep the other
 * threads of the process waiting.
 */
export class SnappyEncoder {
  readonly #module = instantiate();
  #memory = Buffer.from(this.#module.memory.buffer);
  #input: Piece | undefined;
  #output: Piece | undefined;

  /** Room for so many bytes, to be filled before anything else is asked for. */
  input(size: number): Buffer {
    if (this.#input?.size !== size) {
      this.#free(this.#input);
      this.#input = { place: this.#module.__wbindgen_malloc(size), size };
    }
    return this.#bytes(this.#input);
  }

  /** The bytes in `input` as a raw snappy stream, which is there until the next call. */
  encode(): Buffer {
    if (this.#input === undefined) throw new Error('there is nothing to encode');
    const { place, size } = this.#input;
    this.#free(this.#output);
    this.#input = this.#output = undefined;
    const result = this.#module.__wbindgen_add_to_stack_pointer(-resultRoom);
    this.#module.compress_raw(result, place, size);
    const [from, length] = [this.#number(result), this.#number(result + 4)];
    this.#module.__wbindgen_add_to_stack_pointer(resultRoom);
    this.#output = { place: from, size: length };
    return this.#bytes(this.#output);
  }

  #free(piece: Piece | undefined): void {
    if (piece !== undefined) this.#module.__wbindgen_free(piece.place, piece.size);
  }

  #number(place: number): number {
    return this.#bytes({ place, size: 4 }).readUInt32LE();
  }

  #bytes({ place, size }: Piece): Buffer {
    // The memory gets another buffer when it grows.
    const { buffer } = this.#module.memory;
    if (this.#memory.buffer !== buffer) this.#memory = Buffer.from(buffer);
    return this.#memory.subarray(place, place + size);
  }
}

let compiled: WebAssembly.Module | undefined;

function instantiate(): SnappyModule {
  compiled ??= new WebAssembly.Module(readFileSync(modulePath()));
  // It imports what makes a JavaScript string, for calls that are not made here.
  const imports: Record<string, Record<string, () => never>> = {};
  for (const { module, name } of WebAssembly.Module.imports(compiled)) {
    imports[module] ??= {};
    imports[module][name] = () => {
      throw new Error(`snappy-wasm calls ${name}`);
    };
  }
  return new WebAssembly.Instance(compiled, imports).exports as unknown as SnappyModule;
}

function modulePath(): string {
  return join(dirname(createRequire(import.meta.url).resolve('snappy-wasm')), 'snappy_bg.wasm');
}
