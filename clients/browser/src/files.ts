/** Loads `engine.json` and the files that it names, and checks each against its hash. */

import type { UnitMethods } from "./action-units.js";
import type { Words } from "./description.js";
import { EngineError } from "./errors.js";
import type { Manifest } from "./manifest.js";
import type { CanonicalPoint } from "./mesh.js";
import { sha256 } from "./sha256.js";

export interface FileEntry {
  /** Relative to `engine.json`. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** `engine.json`, which `scripts/export_edge_models.py` writes. */
export interface EngineFile {
  readonly format: 1;
  readonly version: string;
  readonly settings: {
    readonly confidence_threshold: number;
    readonly detection_threshold: number;
    readonly max_faces: number;
    readonly max_image_pixels: number;
  };
  readonly detector: { readonly near: FileEntry; readonly far: FileEntry };
  readonly models: readonly { readonly file: FileEntry; readonly manifest: Manifest }[];
  readonly details?: DetailFiles;
}

/** The networks of the mesh, and the tables that give its numbers a meaning. */
export interface DetailFiles {
  readonly mesh: FileEntry;
  readonly blendshapes: FileEntry;
  readonly action_units: UnitMethods;
  /** The units that commonly go with each label. */
  readonly fitting_units: Readonly<Record<string, readonly string[]>>;
  readonly canonical_face: readonly CanonicalPoint[];
  /** The words of each language. */
  readonly descriptions: Readonly<Record<string, Words>>;
}

const FORMAT = 1;

export async function loadEngineFile(modelsUrl: string): Promise<EngineFile> {
  const response = await fetched(new URL("engine.json", modelsUrl), "engine.json", "no-cache");
  const contents = (await response.json().catch(() => null)) as EngineFile | null;
  if (contents?.format !== FORMAT) {
    throw new EngineError(
      "model_file_missing",
      "engine.json is not one that this version of the engine reads. Write the folder again with scripts/export_edge_models.py.",
    );
  }
  return contents;
}

/** Loads files, and says how many bytes of all have come. */
export async function loadFiles(
  modelsUrl: string,
  entries: readonly FileEntry[],
  onProgress: (loaded: number, total: number) => void,
): Promise<Uint8Array[]> {
  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  let loaded = 0;
  return Promise.all(
    entries.map(async (entry) => {
      const data = await loadFile(modelsUrl, entry);
      onProgress((loaded += data.length), total);
      return data;
    }),
  );
}

async function loadFile(modelsUrl: string, entry: FileEntry): Promise<Uint8Array> {
  const response = await fetched(new URL(entry.path, modelsUrl), entry.path);
  const data = await response.arrayBuffer().then(
    (buffer) => new Uint8Array(buffer),
    () => null,
  );
  if (!data) throw unreachable(entry.path);
  if ((await sha256(data)) !== entry.sha256) {
    throw new EngineError(
      "model_file_mismatch",
      `${entry.path} is not the file that engine.json describes. Copy the whole folder again.`,
    );
  }
  return data;
}

async function fetched(url: URL, name: string, cache: RequestCache = "default"): Promise<Response> {
  const response = await fetch(url, { cache }).catch(() => null);
  if (!response) throw unreachable(name);
  if (!response.ok)
    throw new EngineError("model_file_missing", `${name} is missing: its address gives the status ${response.status}.`);
  return response;
}

const unreachable = (name: string) =>
  new EngineError("model_file_unreachable", `${name} could not be loaded. Check the network and try again.`);
