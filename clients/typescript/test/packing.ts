/** What `npm pack` makes of a package, for the tests of both packages. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

type Packed = [{ files: { path: string }[] }];

export const serviceVersion = /__version__ = "(.+)"/.exec(
  readFileSync(fileURLToPath(new URL("../../../app/__init__.py", import.meta.url)), "utf8"),
)?.[1];

/** What stands in a file of a package. */
export const textOf = (folder: string, name: string): string => readFileSync(join(folder, name), "utf8");

export function run(folder: string, command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd: folder, encoding: "utf8" });
}

/** Packs a package, which builds it first. Throws where publint or arethetypeswrong finds fault; gives its files. */
export function packedFiles(folder: string): string[] {
  const temporary = mkdtempSync(join(tmpdir(), "visage-package-"));
  try {
    const [packed] = JSON.parse(run(folder, "npm", "pack", "--json", "--silent", `--pack-destination=${temporary}`)) as Packed;
    const archive = join(temporary, readdirSync(temporary)[0]!);
    run(folder, "node_modules/.bin/publint", archive, "--strict");
    run(folder, "node_modules/.bin/attw", archive, "--profile", "esm-only");
    return packed.files.map((file) => file.path).sort();
  } finally {
    rmSync(temporary, { recursive: true });
  }
}
