import { execFileSync } from "node:child_process";
import { PACKAGE } from "./site.js";

/** Builds the package that the tests load. */
export default function setup(): void {
  execFileSync("node", ["scripts/build.js"], { cwd: PACKAGE, stdio: "inherit" });
}
