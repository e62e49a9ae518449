/** How a server wants to be asked: a scheme in lower case, and its parameters by lower-case name. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Reads `WWW-Authenticate` (RFC 9110 section 11.6.1): several challenges, one after the other. What does not fit the grammar ends
 * the reading; it never fails, because an unreadable challenge is as good as none.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
  const parameter = new RegExp(
    `(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))\\s*(?:,\\s*|$)`,
    'ys',
  );
  const scheme = new RegExp(`(${token})(?:\\s+|\\s*,\\s*|$)`, 'y');
  let at = 0;
  while (at < header.length) {
    parameter.lastIndex = scheme.lastIndex = at;
    const pair = challenges.length > 0 ? parameter.exec(header) : null;
    const found = pair ?? scheme.exec(header);
    if (found === null) break;
    at += found[0].length;
    if (pair) {
      const [, name, quoted, plain] = pair;
      challenges.at(-1)!.parameters.set(name!.toLowerCase(), quoted?.replace(/\\(.)/gs, '$1') ?? plain!);
    } else {
      challenges.push({ scheme: found[1]!.toLowerCase(), parameters: new Map() });
    }
  }
  return challenges;
}
