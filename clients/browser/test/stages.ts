/** Runs in the page: every stage of the engine, without its worker. */
import { actionUnits } from "../src/action-units.js";
import { BlazeFace } from "../src/blazeface.js";
import { Classifier } from "../src/classifier.js";
import { extract, regionOf } from "../src/crop.js";
import { find, type FaceDetector } from "../src/face-search.js";
import { loadEngineFile, loadFiles, type DetailFiles } from "../src/files.js";
import type { Face } from "../src/geometry.js";
import { MeshNetworks } from "../src/mesh.js";
import { Network, prepareRuntime } from "../src/network.js";
import { PictureReader } from "../src/picture.js";
import { greyOf, type Pixels } from "../src/pixels.js";
import { assess } from "../src/quality.js";
import { YuNet } from "../src/yunet.js";

export interface Stages {
  box: number[];
  score: number;
  landmarks: number[][];
  region: Record<string, number>;
  crop: number[];
  probabilities: number[];
  warnings: string[];
  heatmap: number[][];
  details: {
    mesh: number[][];
    blendshapes: number[];
    head_pose: Record<string, number>;
    action_units: Record<string, number>;
  } | null;
}

interface Loaded {
  detector: FaceDetector;
  classifier: Classifier;
  meshes: MeshNetworks;
  details: DetailFiles;
}

let loaded: Loaded | undefined;

async function load(modelsUrl: string): Promise<Loaded> {
  const { settings, detector, models, details } = await loadEngineFile(modelsUrl);
  const [{ manifest, file }] = models as [(typeof models)[0]];
  const runtime = (kind: string) => new URL(`/dist/ort-wasm-simd-threaded.${kind}`, location.href);
  prepareRuntime(1, { mjs: runtime("mjs"), wasm: runtime("wasm") });
  const entries = [detector.near, detector.far, file, details!.mesh, details!.blendshapes];
  const data = await loadFiles(modelsUrl, entries, () => {});
  const networks: Network[] = [];
  for (const [i, bytes] of data.entries()) {
    const more = entries[i] === file && manifest.explain ? [manifest.explain.features, manifest.explain.weights] : [];
    networks.push(await Network.load(bytes, entries[i]!.path, more));
  }
  const [near, far, model, mesh, blendshapes] = networks as [Network, Network, Network, Network, Network];
  return {
    detector: { near: new BlazeFace(near), far: new YuNet(far), threshold: settings.detection_threshold },
    classifier: new Classifier(manifest, model),
    meshes: new MeshNetworks(mesh, blendshapes, details!.canonical_face),
    details: details!,
  };
}

const reader = new PictureReader(50_000_000);

/** What the engine makes of a picture, stage by stage, with all faces. */
export async function stagesOf(url: string, withDetails: boolean): Promise<Stages[]> {
  loaded ??= await load(new URL("/models/", location.href).href);
  const picture = await reader.read(await (await fetch(url)).blob());
  const faces = (await find(loaded.detector, picture, true)).slice(0, 50);
  const stages: Stages[] = [];
  for (const face of faces) stages.push(await stageOf(picture, face, faces.length, withDetails, loaded));
  return stages;
}

async function stageOf(
  picture: Pixels,
  face: Face,
  count: number,
  withDetails: boolean,
  loaded: Loaded,
): Promise<Stages> {
  const { meshes, details, classifier } = loaded;
  const { input, face: framing } = classifier.manifest;
  const region = regionOf(face, framing);
  const crop = extract(picture, region, input.width, input.height, "reflect");
  const mesh = withDetails ? await meshes.run(picture, face, true) : undefined;
  const { probabilities, heatmap } = (await classifier.classify([crop], "contrast"))[0]!;
  const { box } = face;
  return {
    box: [box.x, box.y, box.width, box.height],
    score: face.score,
    landmarks: face.landmarks.map((point) => [...point]),
    region: { ...region },
    crop: Array.from({ length: input.width * input.height }, (_, i) =>
      greyOf(crop[3 * i]!, crop[3 * i + 1]!, crop[3 * i + 2]!),
    ),
    probabilities,
    heatmap: heatmap!.grid,
    warnings: assess(picture, face, count, mesh && mesh.pose),
    details: mesh
      ? {
          mesh: mesh.points.map((point) => [...point]),
          blendshapes: [...mesh.blendshapes!],
          head_pose: { ...mesh.pose },
          action_units: Object.fromEntries(
            [...actionUnits(mesh, meshes, details.action_units)].map(([code, unit]) => [code, unit.intensity]),
          ),
        }
      : null,
  };
}
