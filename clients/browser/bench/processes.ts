/** Processor time and memory of the browser's processes, from Linux's /proc. */
import { readdirSync, readFileSync } from "node:fs";

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process or thread has ended.
    return "";
  }
};

const pids = (): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** What lies after the name of the command in `stat`, which may have spaces. */
const parentOf = (pid: number): number => Number(read(`/proc/${pid}/stat`).split(") ").pop()?.split(" ")[1]);

function browserProcesses(): number[] {
  const below = (pid: number): boolean => pid > 1 && (pid === process.pid || below(parentOf(pid)));
  return pids().filter((pid) => read(`/proc/${pid}/cmdline`).includes("--type=") && below(pid));
}

/** Milliseconds of processor time that all of the browser's processes but its main one have taken. */
export function processorTime(): number {
  const threads = browserProcesses().flatMap((pid) => {
    try {
      return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/schedstat`);
    } catch {
      return [];
    }
  });
  return threads.reduce((sum, path) => sum + Number(read(path).split(" ")[0]) / 1e6, 0);
}

/** Megabytes that the page's own processes hold alone. */
export function memory(): number {
  const renderers = browserProcesses().filter((pid) => read(`/proc/${pid}/cmdline`).includes("--type=renderer"));
  const kilobytes = renderers.map((pid) => {
    const rollup = read(`/proc/${pid}/smaps_rollup`);
    return [...rollup.matchAll(/^Private_\w+:\s+(\d+)/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
  });
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024;
}
