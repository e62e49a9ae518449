import { z } from 'zod';
import { Failure } from '../../base/errors.ts';
import type { HttpAnswer, HttpOptions } from '../../base/http.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { type Credentials, credentialVariables, type RegistryLogin } from './credentials.ts';
import { collect } from './digest.ts';
import { checked, parseJson } from './documents.ts';
import { isLoopback } from './reference.ts';

/** Asks a server; `registry.ts` has it. */
export type Ask = (url: URL, options: HttpOptions) => Promise<HttpAnswer>;

const tokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional() });
const tokenLimit = 1 << 20;

/**
 * Answers what a registry wants to know before it gives anything (Docker's "Token Authentication Specification" and "OAuth2 Token
 * Authentication"): nothing, a password, or a token that another server gives for one, or to anybody.
 */
export class RegistryAuth {
  readonly #registry: URL;
  readonly #login: RegistryLogin;
  readonly #scope: string;
  readonly #ask: Ask;
  #header: string | undefined;
  #renewal: Promise<void> | undefined;

  /** @param repository that is pulled from */
  constructor(registry: URL, repository: string, login: RegistryLogin, ask: Ask) {
    this.#registry = registry;
    this.#login = login;
    this.#scope = `repository:${repository}:pull`;
    this.#ask = ask;
    const { credentials } = login;
    if (credentials?.kind === 'registry') this.#header = `Bearer ${credentials.token}`;
  }

  /** What the next request says of who asks; it goes to the registry and nowhere else. */
  get header(): string | undefined {
    return this.#header;
  }

  /**
   * Gets a new header after the registry refused one; several requests that were refused at one time get one.
   * @param refused the header that was refused
   * @param wanted `WWW-Authenticate` of the refusal
   * @throws Failure `denied` when there is nothing else to say
   */
  async renew(refused: string | undefined, wanted: string | undefined): Promise<void> {
    if (refused !== this.#header) return; // another request was faster
    this.#renewal ??= this.#respond(parseChallenges(wanted ?? '')).finally(() => {
      this.#renewal = undefined;
    });
    await this.#renewal;
  }

  async #respond(challenges: readonly Challenge[]): Promise<void> {
    const { credentials } = this.#login;
    if (credentials?.kind === 'registry') throw this.denied('does not accept the registry token');
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer) {
      this.#header = `Bearer ${await this.#fetchToken(bearer.parameters)}`;
      return;
    }
    if (!challenges.some(({ scheme }) => scheme === 'basic')) throw this.denied('refuses to answer');
    if (credentials?.kind !== 'password') throw this.denied('wants a user name and password');
    const header = basic(credentials);
    if (header === this.#header) throw this.denied('does not accept the user name and password');
    this.#header = header;
  }

  async #fetchToken(parameters: Challenge['parameters']): Promise<string> {
    const realm = this.#realmOf(parameters.get('realm'));
    const fields = new URLSearchParams();
    const service = parameters.get('service');
    if (service !== undefined) fields.set('service', service);
    const { credentials } = this.#login;
    const scope = parameters.get('scope') ?? this.#scope;
    const answer =
      credentials?.kind === 'identity'
        ? await this.#exchange(realm, fields, scope, credentials.token)
        : await this.#getToken(realm, fields, scope, credentials);
    if (!answer.ok) {
      answer.discard();
      const isRefusal = answer.status === 400 || answer.status === 401 || answer.status === 403;
      if (isRefusal) throw this.denied(`gives no token at ${realm.host} (status ${answer.status})`);
      throw new Failure('unavailable', `${realm.host} answers ${answer.status} when asked for a token`, {
        hint: 'try again later',
      });
    }
    const name = `the token of ${realm.host}`;
    const value = parseJson(await collect(answer.body, name, tokenLimit), name);
    const { token, access_token: access } = checked(tokenAnswer, value, name);
    const given = token || access;
    if (!given || !/^[\x21-\x7e]+$/.test(given))
      throw new Failure('corrupt', `${realm.host} answers without a token`);
    return given;
  }

  /** Where tokens are. No password goes there in the clear, when the registry itself is asked over TLS. */
  #realmOf(realm: string | undefined): URL {
    const url =
      realm !== undefined && URL.canParse(realm, this.#registry.href)
        ? new URL(realm, this.#registry)
        : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol))
      throw new Failure('corrupt', `${this.#registry.host} does not say where it gives tokens`);
    const isSafe = url.protocol === 'https:' || this.#registry.protocol === 'http:' || isLoopback(url.host);
    if (!isSafe)
      throw new Failure(
        'hostile',
        `${this.#registry.host} wants credentials to be sent in the clear to ${url.host}`,
        {
          hint: 'tell its operator',
        },
      );
    url.username = url.password = '';
    return url;
  }

  #getToken(
    realm: URL,
    fields: URLSearchParams,
    scope: string,
    credentials: Credentials | undefined,
  ): Promise<HttpAnswer> {
    const url = new URL(realm);
    for (const [name, value] of fields) url.searchParams.set(name, value);
    for (const each of scope.split(' ')) url.searchParams.append('scope', each);
    if (credentials?.kind !== 'password') return this.#ask(url, {});
    url.searchParams.set('account', credentials.username);
    return this.#ask(url, { headers: { authorization: basic(credentials) } });
  }

  /** An identity token goes into a body, where no log of a server has it. */
  #exchange(realm: URL, fields: URLSearchParams, scope: string, token: string): Promise<HttpAnswer> {
    fields.set('scope', scope);
    fields.set('grant_type', 'refresh_token');
    fields.set('client_id', 'zosbuilder');
    fields.set('refresh_token', token);
    return this.#ask(realm, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(fields.toString()),
    });
  }

  /** A refusal of the registry, with what to do about it. */
  denied(what: string): Failure {
    const { credentials, helper } = this.#login;
    const give = `give --username and --password, or set ${credentialVariables.username} and ${credentialVariables.password}`;
    const hint = credentials
      ? 'look at the credentials, and whether they allow to pull this image'
      : helper
        ? `the credential helper docker-credential-${helper} may have credentials, but is not run: ${give}`
        : `${give}, or log in with docker; a repository that does not exist is refused in this way too`;
    return new Failure('denied', `${this.#registry.host} ${what}`, { hint });
  }
}

const basic = ({ username, password }: { username: string; password: string }) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
