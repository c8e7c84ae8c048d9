/**
 * Reads pictures on this device, where the service has the files of the engine (`make edge`). One switch for every view:
 * while it is on, no picture and no other request leaves the page.
 */

/** Tells `change` when it is switched. */
class OnDevice extends EventTarget {
  on = false;
  #engine = null;

  /** Loads the rest where there is an engine, or where an earlier one has left something in this browser. */
  async start() {
    if (!document.querySelector("[data-device]:not([hidden])") && !navigator.serviceWorker?.controller) return;
    const { DeviceEngine } = await import("./device-engine.js");
    this.#engine = new DeviceEngine(this);
    await this.#engine.start();
  }

  /** Switches for every view. */
  turn = (on) => this.#engine.turn(on);

  /** The engine, loaded once. */
  load = () => this.#engine.load();

  /** The prediction for a picture, as `POST /predict` gives it. `signal` ends the wait. */
  predict = (picture, options, signal) => this.#engine.predict(picture, options, signal);

  /** An error of the engine as the page shows it. */
  failure = (error) => this.#engine.failure(error);
}

export const device = new OnDevice();
