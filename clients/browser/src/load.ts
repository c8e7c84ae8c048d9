/** Loads an engine from a folder of models. */

import { BlazeFace } from "./blazeface.js";
import { Classifier } from "./classifier.js";
import { DetailKnowledge } from "./details.js";
import { EngineError } from "./errors.js";
import { loadEngineFile, loadFiles, type DetailFiles, type EngineFile, type FileEntry } from "./files.js";
import { LoadedEngine } from "./loaded-engine.js";
import { MeshNetworks } from "./mesh.js";
import { Network, prepareRuntime } from "./network.js";
import type { EngineInfo, LoadOptions } from "./protocol.js";
import { YuNet } from "./yunet.js";

export type Progress = (loaded: number, total: number) => void;

export async function load(
  options: LoadOptions,
  progress: Progress,
): Promise<{ engine: LoadedEngine; info: EngineInfo }> {
  const { modelsUrl, threads } = options;
  const file = await loadEngineFile(modelsUrl);
  const { settings, detector, details } = file;
  const { manifest, file: modelFile } = modelOf(file, options.model);
  prepareRuntime(threads);
  const more = manifest.explain ? [manifest.explain.features, manifest.explain.weights] : [];
  const entries = [detector.near, detector.far, { ...modelFile, more }];
  const [near, far, network] = await networks(modelsUrl, entries, progress);
  const engine = new LoadedEngine({
    detector: { near: new BlazeFace(near), far: new YuNet(far), threshold: settings.detection_threshold },
    classifier: new Classifier(manifest, network),
    loadDetails: details && (() => loadDetails(modelsUrl, details)),
    confidenceThreshold: options.confidenceThreshold ?? settings.confidence_threshold,
    maxFaces: settings.max_faces,
    mostPixels: settings.max_image_pixels,
  });
  return { engine, info: engine.info(threads, file.version) };
}

async function loadDetails(modelsUrl: string, files: DetailFiles): Promise<DetailKnowledge> {
  const [mesh, blendshapes] = await networks(modelsUrl, [files.mesh, files.blendshapes], () => {});
  const units = { methods: files.action_units, fitting: files.fitting_units };
  return new DetailKnowledge(new MeshNetworks(mesh, blendshapes, files.canonical_face), units, files.descriptions);
}

/** The file of a network, and tensors that are to be among its outputs. */
type NetworkEntry = FileEntry & { readonly more?: readonly string[] };

async function networks(modelsUrl: string, entries: readonly NetworkEntry[], progress: Progress): Promise<Network[]> {
  const data = await loadFiles(modelsUrl, entries, progress);
  const loaded: Network[] = [];
  // One after the other: each takes memory while it is prepared.
  for (const [i, bytes] of data.entries()) loaded.push(await Network.load(bytes, entries[i].path, entries[i].more));
  return loaded;
}

function modelOf(file: EngineFile, name: string | undefined): EngineFile["models"][number] {
  const model = name === undefined ? file.models[0] : file.models.find((each) => each.manifest.name === name);
  if (model) return model;
  const names = file.models.map((each) => each.manifest.name).join(", ");
  throw new EngineError("model_not_found", `There is no model ${name} in this folder. It has: ${names}.`);
}
