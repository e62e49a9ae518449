import { closestName } from '../base/names.ts';
import { configFailure, configLines, type Place } from './config-lines.ts';
import { normalizeName } from './module-name.ts';

/** `stage1`: in the image and loaded by `/init`, in list order. `stage2`: in the image, loaded when hardware asks. */
export type ModuleStage = 'stage1' | 'stage2';

/** A line of `config/modules.conf`. */
export interface WantedModule {
  readonly stage: ModuleStage;
  /** The module or alias as the user spells it. */
  readonly name: string;
  readonly place: Place;
}

/**
 * Reads `config/modules.conf`: a line `stage1:NAME` or `stage2:NAME` for each module, `-` and `_` alike, `#` for comments.
 * @throws Failure `config` with file and line for anything else and for a module that is listed twice.
 */
export function parseModulesConf(text: string, file = 'config/modules.conf'): WantedModule[] {
  const wanted: WantedModule[] = [];
  const lines = new Map<string, number>();
  for (const { place, words } of configLines(text, file)) {
    const module = parseLine(place, words);
    const key = normalizeName(module.name);
    const earlier = lines.get(key);
    if (earlier !== undefined)
      throw configFailure(
        place,
        `module ${module.name} is already listed in line ${earlier}`,
        'remove one of the two lines; stage1 is in the image too',
      );
    lines.set(key, place.line);
    wanted.push(module);
  }
  return wanted;
}

function parseLine(place: Place, [word, ...rest]: readonly string[]): WantedModule {
  const [stage, name, ...more] = word!.split(':');
  if (stage !== 'stage1' && stage !== 'stage2') {
    const meant = closestName(stage!, ['stage1', 'stage2']);
    throw configFailure(
      place,
      `${word} is not stage1:NAME or stage2:NAME`,
      meant
        ? `did you mean ${meant}:${name ?? 'NAME'}?`
        : `write stage2:${stage} to have the module in the image`,
    );
  }
  if (!name) throw configFailure(place, `${stage}: names no module`, `write ${stage}:NAME without a blank`);
  if (rest.length > 0 || (more.length > 0 && /\.(bin|fw|ucode)$/.test(more.at(-1)!)))
    throw configFailure(
      place,
      `only one module name can stand on a line, not also ${[...more, ...rest].join(' ')}`,
      'firmware is chosen by config/firmware.conf alone',
    );
  const alias = [name, ...more].join(':');
  if (isModuleOrAlias(alias)) return { stage, name: alias, place };
  const plain = name.replace(/^.*\//, '').replace(/\.ko.*$/, '');
  throw configFailure(place, `${alias} is not a module name`, `did you mean ${stage}:${plain}?`);
}

function isModuleOrAlias(name: string): boolean {
  return /^[A-Za-z0-9_.:,+-]+$/.test(name) && !/\.ko(\.|$)/.test(name);
}
