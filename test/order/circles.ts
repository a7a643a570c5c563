/** Circles in a graph, each as short as it can be. */

/** One step of a circle, and all that ties its two ends. */
export interface Step<Tie> {
  readonly from: string;
  readonly to: string;
  readonly ties: readonly Tie[];
}

/** From each node to the nodes it leads to, with what leads there. */
export class Graph<Tie> {
  readonly #steps = new Map<string, Map<string, Tie[]>>();

  add(from: string, to: string, tie: Tie): void {
    const steps = this.#steps.get(from) ?? new Map<string, Tie[]>();
    this.#steps.set(from, steps);
    steps.set(to, [...(steps.get(to) ?? []), tie]);
  }

  /**
   * Circles that are enough: without the weakest step of each of them (the one with the fewest ties), none is left.
   * Whoever cuts these has cut all. The graph is empty of circles afterwards.
   */
  takeCircles(): Step<Tie>[][] {
    const circles: Step<Tie>[][] = [];
    for (;;) {
      this.#dropEnds();
      const circle = this.#shortestCircle();
      if (circle === undefined) return circles;
      circles.push(circle);
      const weakest = circle.reduce((least, step) => (step.ties.length < least.ties.length ? step : least));
      this.#steps.get(weakest.from)?.delete(weakest.to);
    }
  }

  /** Nodes that lead nowhere are in no circle, and neither is what leads to them only. */
  #dropEnds(): void {
    let dropped = true;
    while (dropped) {
      dropped = false;
      for (const [node, steps] of this.#steps) {
        for (const to of steps.keys()) if (!this.#steps.has(to)) dropped = steps.delete(to);
        if (steps.size === 0) dropped = this.#steps.delete(node);
      }
    }
  }

  #shortestCircle(): Step<Tie>[] | undefined {
    let shortest: string[] | undefined;
    for (const start of this.#steps.keys()) {
      const path = this.#pathBack(start);
      if (path !== undefined && path.length < (shortest?.length ?? Infinity)) shortest = path;
    }
    return shortest?.map((from, index, all) => {
      const to = all[(index + 1) % all.length] ?? from;
      return { from, to, ties: this.#steps.get(from)?.get(to) ?? [] };
    });
  }

  /** The nodes on the shortest way from `start` back to it. */
  #pathBack(start: string): string[] | undefined {
    const queue: string[][] = [[start]];
    const seen = new Set<string>();
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      for (const to of this.#steps.get(path.at(-1) ?? start)?.keys() ?? []) {
        if (to === start) return path;
        if (seen.has(to)) continue;
        seen.add(to);
        queue.push([...path, to]);
      }
    }
    return undefined;
  }
}
