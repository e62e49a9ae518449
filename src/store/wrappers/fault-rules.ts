import { createHash } from 'node:crypto';
import { Failure, type FailureKind } from '../../base/errors.ts';
import { parseDuration } from '../../base/units.ts';
import type { BlockId } from '../store.ts';
import { type Operation, operations } from './wrapper.ts';

/** What goes wrong. Only `get` and `put` can damage a block; the rest can befall any question. */
export type FaultEffect =
  | { readonly name: 'error'; readonly kind: FailureKind }
  | { readonly name: 'delay'; readonly milliseconds: number }
  /** No answer ever comes. */
  | { readonly name: 'hang' }
  /** The block is cut short. */
  | { readonly name: 'truncate' }
  /** One bit of the block is changed. */
  | { readonly name: 'flip' }
  /** The bytes are those of another block, which are whole and right in themselves. */
  | { readonly name: 'wrong' };

/** When it goes wrong: every condition must hold; without one it always does. */
export interface FaultRule {
  readonly operation: Operation | 'any';
  readonly effect: FaultEffect;
  /** From 0 to 1, decided by the seed, the block and how often it was asked for, whatever else is asked in between. */
  readonly probability?: number;
  /** Only the so-many-th question that the rule is for, from 1. */
  readonly nth?: number;
  /** Only so many questions that the rule is for. */
  readonly first?: number;
  /** Only blocks whose id starts so. */
  readonly id?: string;
}

const damages = ['truncate', 'flip', 'wrong'];

/** The names of all effects. */
export const faultEffects: readonly string[] = ['error', 'delay', 'hang', ...damages];

const errorKinds: readonly FailureKind[] = [
  'unavailable',
  'timeout',
  'not-found',
  'denied',
  'corrupt',
  'failed',
];

/**
 * Reads a rule `OPERATION:EFFECT[:CONDITION]…`. Operations are those of a store, and `any`; effects `error` (or
 * `error=KIND`), `delay=TIME`, `hang`, `truncate`, `flip`, `wrong`; conditions a probability such as `0.1`, `nth=N`,
 * `first=N` and `id=PREFIX`.
 * @throws Failure `usage`.
 */
export function parseFaultRule(text: string): FaultRule {
  const [operation = '', effectText = '', ...conditions] = text.split(':');
  const fail = (what: string, hint: string) =>
    new Failure('usage', `the fault ${JSON.stringify(text)} has ${what}`, { hint });
  if (operation !== 'any' && !isOperation(operation))
    throw fail('no operation of a store', `begin with ${['any', ...operations].join(', ')}`);
  const effect = parseEffect(effectText);
  if (effect === undefined)
    throw fail(
      `no effect ${JSON.stringify(effectText)}`,
      `effects are ${faultEffects.join(', ')}; as in get:error=timeout:0.1 or put:delay=50ms`,
    );
  if (damages.includes(effect.name) && operation !== 'get' && operation !== 'put')
    throw fail(`nothing to damage`, `only get and put can have the effect ${effect.name}`);
  const parsed = conditions.map((condition) => parseCondition(condition, fail));
  return Object.assign({ operation, effect }, ...parsed);
}

function isOperation(text: string): text is Operation {
  return (operations as readonly string[]).includes(text);
}

function parseEffect(text: string): FaultEffect | undefined {
  const [name = '', argument] = splitOnce(text, '=');
  if (name === 'error') {
    const kind = argument === undefined ? 'unavailable' : errorKinds.find((known) => known === argument);
    return kind && { name, kind };
  }
  if (name === 'delay') return { name, milliseconds: parseDuration(argument ?? '') };
  if (argument !== undefined) return undefined;
  return name === 'hang' || name === 'truncate' || name === 'flip' || name === 'wrong' ? { name } : undefined;
}

function parseCondition(
  text: string,
  fail: (what: string, hint: string) => Failure,
): Partial<Omit<FaultRule, 'operation' | 'effect'>> {
  const [name = '', value = ''] = splitOnce(text, '=');
  if (/^(0(\.\d+)?|1(\.0+)?)$/.test(text)) return { probability: Number(text) };
  if ((name === 'nth' || name === 'first') && /^[1-9]\d{0,8}$/.test(value)) return { [name]: Number(value) };
  if (name === 'id' && /^[0-9a-f]{1,64}$/.test(value)) return { id: value };
  throw fail(
    `a condition ${JSON.stringify(text)} that is not known`,
    'conditions are a probability such as 0.1, nth=3, first=2 and id=0f',
  );
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** A rule with its memory of what was asked. */
export class Fault {
  readonly effect: FaultEffect;
  readonly #rule: FaultRule;
  /** Two rules and two seeds make different choices. */
  readonly #seed: string;
  #matched = 0;
  readonly #matchedById = new Map<BlockId, number>();

  constructor(rule: FaultRule, seed: string) {
    this.#rule = rule;
    this.effect = rule.effect;
    this.#seed = seed;
  }

  /** Whether it befalls this question; counts it. */
  befalls(operation: Operation, id: BlockId): boolean {
    const rule = this.#rule;
    if (rule.operation !== 'any' && rule.operation !== operation) return false;
    if (rule.id !== undefined && !id.startsWith(rule.id)) return false;
    this.#matched++;
    if (rule.nth !== undefined && this.#matched !== rule.nth) return false;
    if (rule.first !== undefined && this.#matched > rule.first) return false;
    if (rule.probability === undefined) return true;
    const times = (this.#matchedById.get(id) ?? 0) + 1;
    this.#matchedById.set(id, times);
    return this.chance(`${operation} ${id} ${times}`) < rule.probability;
  }

  /** A number from 0 to below 1 that depends on the seed, the rule and what it is for, and on nothing else. */
  chance(what: string): number {
    return createHash('sha256').update(`${this.#seed} ${what}`).digest().readUInt32BE() / 2 ** 32;
  }
}
