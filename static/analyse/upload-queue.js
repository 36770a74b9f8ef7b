// Lets so many jobs run at a time, in the order they came.

export class Queue {
  #limit;
  #running = 0;
  #waiting = [];

  constructor(limit) {
    this.#limit = limit;
  }

  /** Runs an asynchronous job when its turn comes; rejects at once where the signal is aborted before. */
  run(job, signal) {
    return new Promise((resolve, reject) => {
      const turn = { job, resolve, reject };
      signal.addEventListener("abort", () => {
        const place = this.#waiting.indexOf(turn);
        if (place < 0) return; // it runs: the job itself listens to the signal
        this.#waiting.splice(place, 1);
        reject(signal.reason);
      });
      this.#waiting.push(turn);
      this.#next();
    });
  }

  #next() {
    while (this.#running < this.#limit && this.#waiting.length) {
      const { job, resolve, reject } = this.#waiting.shift();
      this.#running += 1;
      job().then(resolve, reject).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }
}
