import { Failure } from '../../base/errors.ts';
import { percentDecoded } from '../../base/http.ts';
import { unknownParameter } from '../parameters.ts';
import { redactedAddress } from '../route.ts';
import type { RespTarget } from './resp-connection.ts';

/** Where a 0-db is and how its namespace is opened. */
export interface ZdbAddress {
  readonly target: RespTarget;
  /** The last part of the path; a Unix socket has only the default namespace. */
  readonly namespace: string;
  /** Empty when there is none; 0-db has no users, Redis has. */
  readonly user: string;
  readonly password: string;
}

export const defaultNamespace = 'default';
const defaultPort = 9900;

/**
 * Reads `zdb://[user][:password@]host[:port][/namespace]` or `zdb:///path/to/socket` (flist format, section 3.5). Everything but the
 * host is percent-decoded.
 * @throws Failure `usage` for a URL that names neither a host nor a socket, or has parameters
 */
export function parseZdbUrl(url: URL): ZdbAddress {
  const [parameter] = url.searchParams.keys();
  if (parameter !== undefined) throw unknownParameter(redactedAddress(url.href), parameter);
  const user = percentDecoded(url.username);
  const password = percentDecoded(url.password);
  if (url.hostname === '') {
    if (!/^\/./.test(url.pathname))
      throw new Failure('usage', `${redactedAddress(url.href)} names neither a host nor a socket`, {
        hint: 'write zdb://HOST[:PORT][/NAMESPACE], or zdb:///PATH for a Unix socket',
      });
    return { target: { path: percentDecoded(url.pathname) }, namespace: defaultNamespace, user, password };
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const parts = url.pathname.split('/').filter((part) => part !== '');
  return {
    target: { host, port: url.port === '' ? defaultPort : Number(url.port) },
    namespace: percentDecoded(parts.at(-1) ?? defaultNamespace),
    user,
    password,
  };
}
