/** A line of a text form: JSON in which characters that a terminal would obey or hide are escapes too. */
export function textLine(value: object): string {
  return JSON.stringify(value).replace(/[\u007f-\u009f\p{Cf}]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => escaped(character.charCodeAt(i))).join(''),
  );
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}

/** The fields of one line of a dump. Each is taken once, and none may be left at the end. Errors say which is wrong. */
export class DumpFields {
  readonly #fields: Map<string, unknown>;

  constructor(line: string) {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error('it is no JSON object');
    this.#fields = new Map(Object.entries(value));
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  text(name: string): string {
    return required(name, this.textIfAny(name));
  }

  textIfAny(name: string): string | undefined {
    return this.#take(name, 'text', (value) => typeof value === 'string');
  }

  number(name: string): number {
    return required(name, this.numberIfAny(name));
  }

  numberIfAny(name: string): number | undefined {
    return this.#take(name, 'a whole number', (value): value is number => Number.isSafeInteger(value));
  }

  octal(name: string): number {
    const text = this.text(name);
    if (!/^[0-7]{4,11}$/.test(text)) throw new Error(`"${name}" is no octal number of four digits or more`);
    return Number.parseInt(text, 8);
  }

  pairIfAny(name: string): [number, number] | undefined {
    return this.#take(
      name,
      'a pair of whole numbers',
      (value): value is [number, number] =>
        Array.isArray(value) && value.length === 2 && value.every(Number.isSafeInteger),
    );
  }

  bytesByNameIfAny(name: string): Map<string, Uint8Array> | undefined {
    const isObject = (value: unknown): value is object => typeof value === 'object' && !Array.isArray(value);
    const values = this.#take(name, 'an object', isObject);
    return (
      values && new Map(Object.entries(values).map(([key, value]) => [key, base64(`${name}.${key}`, value)]))
    );
  }

  /** @throws Error when fields are left */
  end(): void {
    const [left] = this.#fields.keys();
    if (left !== undefined) throw new Error(`the field ${JSON.stringify(left)} has no meaning here`);
  }

  #take<Value>(name: string, what: string, is: (value: unknown) => value is Value): Value | undefined {
    const value = this.#fields.get(name);
    if (value === undefined) return undefined;
    if (value === null || !is(value)) throw new Error(`"${name}" is not ${what}`);
    this.#fields.delete(name);
    return value;
  }
}

function required<Value>(name: string, value: Value | undefined): Value {
  if (value === undefined) throw new Error(`it has no "${name}"`);
  return value;
}

function base64(name: string, value: unknown): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
  if (bytes === undefined || bytes.toString('base64') !== value) throw new Error(`"${name}" is not base64`);
  return bytes;
}
