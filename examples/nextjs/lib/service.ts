// Only for code on the server: the address and the key of the service never reach a browser.
import "server-only";

export const url = (process.env.VISAGE_URL ?? "http://localhost:8000").replace(/\/+$/, "");
export const apiKey = process.env.VISAGE_API_KEY;
/** Where browsers open streams: the service itself, since serverless functions hold no sockets. */
export const streamUrl = (process.env.VISAGE_PUBLIC_URL ?? url).replace(/\/+$/, "");
