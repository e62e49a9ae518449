import { Failure } from '../../base/errors.ts';
import type { Scenario } from '../scenario.ts';
import { basic } from './basic.ts';
import { flists } from './flists.ts';

/** Every scenario, in the order in which they are run when none is named. */
export const scenarios: readonly Scenario[] = [basic, flists];

/**
 * A scenario by the name that a user typed.
 * @throws Failure `usage` naming the scenarios
 */
export function scenarioNamed(name: string): Scenario {
  const scenario = scenarios.find((known) => known.name === name);
  if (scenario) return scenario;
  throw new Failure('usage', `there is no scenario "${name}"`, {
    hint: `the scenarios are ${scenarios.map((known) => known.name).join(', ')}`,
  });
}
