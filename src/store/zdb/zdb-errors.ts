import { Failure, type FailureKind } from '../../base/errors.ts';
import { RespError, type RespValue } from './resp.ts';

export const whoAnswers = 'check that a 0-db or a Redis answers at this address';

/** What servers say, most telling first: 0-db (zdbd/commands_*.c) and Redis (its error prefixes). */
const refusals: readonly { readonly says: RegExp; readonly kind: FailureKind; readonly hint: string }[] = [
  {
    says: /^(NOAUTH|WRONGPASS|NOPERM|DENIED)|access denied|protected and private|permission denied|invalid password|password too long|authentifi?cation disabled|without any password configured/i,
    kind: 'denied',
    hint: 'check the password of the namespace: zdb://:PASSWORD@HOST/NAMESPACE',
  },
  {
    says: /^READONLY|read-only|worm mode/i,
    kind: 'denied',
    hint: 'writing needs the password of the namespace: zdb://:PASSWORD@HOST/NAMESPACE',
  },
  {
    says: /namespace not found|invalid DB index|DB index is out of range|name is not allowed|namespace too long|not available anymore/i,
    kind: 'config',
    hint: 'check the name of the namespace; who runs the server makes it with NSNEW',
  },
  {
    says: /only update authorized/i,
    kind: 'config',
    hint: 'the namespace numbers its keys by itself; 0-db must run in user-key mode (--mode user)',
  },
  {
    says: /no space left|^OOM/i,
    kind: 'unavailable',
    hint: 'the namespace is full: delete blocks, or raise its size',
  },
  {
    says: /^(LOADING|BUSY|TRYAGAIN|MASTERDOWN|CLUSTERDOWN|MISCONF)|right now|frozen|locked|internal error/i,
    kind: 'unavailable',
    hint: 'try again later, and look at the log of the server',
  },
  { says: /^WRONGTYPE/, kind: 'corrupt', hint: 'something other than a block lies under this key' },
];

/** The error for a request that the server refuses, by the words that it says. */
export function refusal(what: string, text: string): Failure {
  const { kind, hint } = refusals.find(({ says }) => says.test(text)) ?? {
    kind: 'failed' as const,
    hint: whoAnswers,
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a server must not steer the terminal
  const shown = text.slice(0, 200).replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
  return new Failure(kind, `${what}: the server says ${JSON.stringify(shown)}`, { hint });
}

/** How 0-db says that there is nothing to delete. */
export function isMissingKey(reply: RespValue): boolean {
  return reply instanceof RespError && /^key not found$/i.test(reply.text);
}
