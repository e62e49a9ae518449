/** What a queue asks of a block. */
export interface QueuedBlock {
  readonly state: string;
  readonly priority: string;
}

/** Blocks in the order in which they came; those that are begun or became more urgent meanwhile are passed over. */
export class BlockQueue<Block extends QueuedBlock> {
  readonly #blocks: Block[] = [];
  #head = 0;

  get length(): number {
    return this.#blocks.length - this.#head;
  }

  push(block: Block): void {
    this.#blocks.push(block);
  }

  first(priority: string): Block | undefined {
    while (this.#head < this.#blocks.length) {
      const block = this.#blocks[this.#head]!;
      if (block.state === 'queued' && block.priority === priority) return block;
      this.shift();
    }
    return undefined;
  }

  shift(): void {
    this.#head++;
    if (this.#head < 256 || this.#head * 2 < this.#blocks.length) return;
    this.#blocks.splice(0, this.#head);
    this.#head = 0;
  }
}
