import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Scenarios run in the order of their numbers: the first builds what the others look at. */
class ByNumber extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isScenario = ({ project }: TestSpecification) => project.name === 'scenarios';
    const scenarios = files.filter(isScenario).sort((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
    return [...(await super.sort(files.filter((file) => !isScenario(file)))), ...scenarios];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: ByNumber },
    reporters: ['default', './tools/store-matrix-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/unit/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'scenarios',
          include: ['test/*.test.ts'],
          globalSetup: 'test/shared/ground.ts',
          testTimeout: 600_000,
          hookTimeout: 900_000,
          // One after the other, and after the units: a boot in an emulator needs the whole machine.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
