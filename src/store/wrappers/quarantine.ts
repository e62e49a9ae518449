import type { Clock } from '../../base/clock.ts';

/** When a replica is not asked first any more. */
export interface QuarantineRules {
  /** Milliseconds that a quarantine lasts. */
  readonly period: number;
  /** Errors one after the other that lead to it; bad content does at once. */
  readonly strikes: number;
  readonly clock: Clock;
}

/** Whether a replica deserves trust at this moment, from what it gave so far. */
export class Quarantine {
  readonly #rules: QuarantineRules;
  #strikes = 0;
  #until = Number.NEGATIVE_INFINITY;

  constructor(rules: QuarantineRules) {
    this.#rules = rules;
  }

  get isActive(): boolean {
    return this.#rules.clock.now() < this.#until;
  }

  gaveGood(): void {
    this.#strikes = 0;
  }

  /** After a quarantine one more error is enough for the next. */
  gaveError(): void {
    this.#strikes = Math.min(this.#strikes + 1, this.#rules.strikes);
    if (this.#strikes === this.#rules.strikes) this.#begin();
  }

  gaveBad(): void {
    this.#strikes = this.#rules.strikes;
    this.#begin();
  }

  #begin(): void {
    this.#until = this.#rules.clock.now() + this.#rules.period;
  }
}
