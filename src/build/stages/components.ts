import type { Stage, StageName } from '../stage.ts';

/** The three stages of components (programs built from source): they pass, as no recipe can name a component yet. */
function componentStage(name: StageName, summary: string): Stage {
  return {
    name,
    summary,
    module: import.meta.filename,
    inputs: () => ({}),
    run: async () => ({ note: 'nothing to do: the recipe has no components' }),
  };
}

export const componentsBuild = componentStage(
  'components_build',
  'builds or fetches the programs of components.conf',
);
export const componentsVerify = componentStage('components_verify', 'checks the built programs');
export const componentsCopy = componentStage('components_copy', 'puts the built programs into the image');
