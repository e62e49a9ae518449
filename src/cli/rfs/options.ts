import { storeSpecs } from '../../store/spec-file.ts';

/** Collects the values of an option that may be given several times. */
export function repeatable(value: string, all: readonly string[] = []): readonly string[] {
  return [...all, value];
}

/** Collects the stores of an option that may be given several times; `@FILE` stands for those in a file. */
export function stores(value: string, all: readonly string[] = []): readonly string[] {
  return [...all, ...storeSpecs(value)];
}
