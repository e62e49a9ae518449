import { join } from 'node:path';

/** Where everything of a private apt lies, below one directory. */
export interface AptPaths {
  readonly config: string;
  readonly sources: string;
  readonly lists: string;
  readonly cache: string;
  /** The dpkg status file of a machine with no packages. */
  readonly status: string;
}

export function aptPaths(directory: string): AptPaths {
  return {
    config: join(directory, 'apt.conf'),
    sources: join(directory, 'debian.sources'),
    lists: join(directory, 'lists'),
    cache: join(directory, 'cache'),
    status: join(directory, 'status'),
  };
}

/** How the host reaches its archive (proxies, TLS, clocks that are wrong): the only settings taken over from it. */
const transportSettings =
  /^Acquire::(?:https?::|ForceIPv[46] |Check-Valid-Until |Check-Date |Max-FutureTime )/;

/**
 * The configuration of an apt that keeps everything in its own directory, as apt.conf(5) text. Its paths must be absolute:
 * apt gives empty lists for relative ones in another working directory. Of the host it uses the trusted keys, the
 * credentials, and the transport settings; no hooks, no pins, no sources, no state.
 * @param options.architecture Debian's name of it: `amd64`
 * @param options.hostConfig what `apt-config dump` prints on the host
 */
export function aptConfiguration(
  paths: AptPaths,
  { architecture, hostConfig }: { readonly architecture: string; readonly hostConfig: string },
): string {
  const settings: Readonly<Record<string, string>> = {
    'Dir::Etc::main': '/dev/null',
    'Dir::Etc::parts': '/dev/null',
    'Dir::Etc::sourcelist': paths.sources,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::Etc::trusted': '/etc/apt/trusted.gpg',
    'Dir::Etc::trustedparts': '/etc/apt/trusted.gpg.d',
    'Dir::Etc::netrc': '/etc/apt/auth.conf',
    'Dir::Etc::netrcparts': '/etc/apt/auth.conf.d',
    'Dir::State': paths.cache,
    'Dir::State::lists': paths.lists,
    'Dir::State::status': paths.status,
    'Dir::Cache': paths.cache,
    'Dir::Log': paths.cache,
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Install-Recommends': 'false',
    'APT::Install-Suggests': 'false',
    'APT::Get::AllowUnauthenticated': 'false',
    'APT::Get::Show-User-Simulation-Note': 'false',
    'APT::Update::Error-Mode': 'any',
    // A name that is no package is an error, not a regular expression that may match some.
    'APT::Cmd::Pattern-Only': 'true',
    // The directory need not be reachable for the user `_apt`, to whom apt started by root would hand its downloads.
    'APT::Sandbox::User': 'root',
    'Acquire::AllowInsecureRepositories': 'false',
    'Acquire::Languages': 'none',
    'Acquire::PDiffs': 'false',
    'Acquire::Retries': '2',
    'Acquire::http::Timeout': '30',
    'Acquire::https::Timeout': '30',
  };
  const own = Object.entries(settings).map(([name, value]) => `${name} "${value}";`);
  const fromHost = hostConfig.split('\n').filter((line) => transportSettings.test(line));
  return `${[...own, ...fromHost].join('\n')}\n`;
}
