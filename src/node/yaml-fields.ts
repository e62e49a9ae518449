import { isMap, isScalar, isSeq, type LineCounter, type Node, type YAMLMap } from 'yaml';
import { closestName } from '../base/names.ts';
import type { UnitProblem } from './units.ts';

/** Typed access to the keys of a YAML map. What does not fit is noted with its line, and the fallback taken. */
export class YamlFields {
  readonly problems: UnitProblem[];
  readonly #file: string;
  readonly #map: YAMLMap;
  readonly #lines: LineCounter;

  constructor(file: string, map: YAMLMap, lines: LineCounter, problems: UnitProblem[] = []) {
    this.#file = file;
    this.#map = map;
    this.#lines = lines;
    this.problems = problems;
  }

  /** Whether there was an error so far. */
  get failed(): boolean {
    return this.problems.some(({ severity }) => severity === 'error');
  }

  error(key: string, message: string): void {
    this.#note('error', this.#keyNode(key) ?? this.#map, message);
  }

  warnOfKeysBut(known: readonly string[]): void {
    for (const { key } of this.#map.items) {
      const name = String(key);
      if (known.includes(name)) continue;
      const close = closestName(name, known);
      this.#note(
        'warning',
        key as Node,
        `unknown key "${name}" means nothing${close ? `; did you mean "${close}"?` : ''}`,
      );
    }
  }

  string(key: string, fallback: string): string {
    return this.#scalar(key, fallback, 'a string: put it in quotes', (value) => typeof value === 'string');
  }

  boolean(key: string, fallback: boolean): boolean {
    return this.#scalar(key, fallback, 'true or false', (value) => typeof value === 'boolean');
  }

  /** A whole number, 0 or more. */
  count(key: string, fallback: number): number {
    return this.#scalar(
      key,
      fallback,
      'a whole number',
      (value) => Number.isSafeInteger(value) && (value as number) >= 0,
    );
  }

  /** A list of strings, each with its line. */
  strings(key: string): { text: string; line: number }[] {
    const node = this.#map.get(key, true) as unknown;
    if (node === undefined) return [];
    if (!isSeq(node)) {
      this.error(key, `"${key}" must be a list of strings`);
      return [];
    }
    return (node.items as Node[]).flatMap((item) => {
      if (isScalar(item) && typeof item.value === 'string')
        return [{ text: item.value, line: this.#line(item) }];
      this.#note('error', item, `"${key}" must hold strings: put them in quotes`);
      return [];
    });
  }

  stringMap(key: string): Record<string, string> {
    const inner = this.inner(key);
    if (!inner) return {};
    return Object.fromEntries(
      inner.#map.items.map(({ key }) => [String(key), inner.string(String(key), '')]),
    );
  }

  /** The fields of a map within this one. */
  inner(key: string): YamlFields | undefined {
    const node = this.#map.get(key, true) as unknown;
    if (node === undefined) return undefined;
    if (isMap(node)) return new YamlFields(this.#file, node, this.#lines, this.problems);
    this.error(key, `"${key}" must hold keys and values`);
    return undefined;
  }

  #scalar<T>(key: string, fallback: T, expected: string, fits: (value: unknown) => boolean): T {
    const node = this.#map.get(key, true) as unknown;
    if (node === undefined) return fallback;
    if (isScalar(node) && fits(node.value)) return node.value as T;
    this.error(key, `"${key}" must be ${expected}`);
    return fallback;
  }

  #keyNode(key: string): Node | undefined {
    return this.#map.items.find((pair) => String(pair.key) === key)?.key as Node | undefined;
  }

  #note(severity: UnitProblem['severity'], node: Node, message: string): void {
    this.problems.push({ severity, file: this.#file, line: this.#line(node), message });
  }

  #line(node: Node): number {
    return Math.max(this.#lines.linePos(node.range?.[0] ?? 0).line, 1);
  }
}
