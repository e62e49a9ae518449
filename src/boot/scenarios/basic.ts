import { hostAddress } from '../machine.ts';
import type { Scenario } from '../scenario.ts';
import { buildIdMatches, flistIs, noUnitFailed } from './expectations.ts';

/** An address where an isolated guest is refused at once. */
const nobody = `http://${hostAddress}:8080`;

/** A node whose flists never come. */
export const basic: Scenario = {
  name: 'basic',
  proves: 'the image boots by itself: without a flist server the node says so, goes on and becomes ready',
  needsHub: false,
  network: 'isolated',
  devices: [],
  commandLine: () => [`FLISTS_BASE_URL=${nobody}`, 'zos.flists.wait=2'],
  milestones: ['kernel', 'init', 'stage1', 'supervisor', 'udevd', 'network', 'coldplug', 'ready'],
  expectations: ({ buildId }) => [
    buildIdMatches(buildId),
    flistIs('modules', 'unavailable', 'off'),
    flistIs('firmware', 'unavailable', 'off'),
    {
      sentence: 'the node says that it goes on without flists',
      finding: ({ notes, warnings }) => {
        const said = [...notes, ...warnings];
        return said.some((text) => /\bgoing on\b/.test(text)) ? undefined : said.join('; ') || 'not a word';
      },
    },
    noUnitFailed,
  ],
};
