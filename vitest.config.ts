import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
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
