// What a program does with results, in the types that openapi-typescript makes of docs/openapi.json.
import type { components, operations } from "./schema";

type Schemas = components["schemas"];

// The items of a batch are told apart by `success`.
export function outcome(item: Schemas["BatchResult"]["results"][number]): string {
  if (item.success) {
    return `${item.emotion} ${item.confidence}`;
  }
  // @ts-expect-error An item that failed has no emotion.
  void item.emotion;
  return advice(item.error);
}

// The codes of errors are a closed list.
export function advice(code: Schemas["ErrorCode"]): string {
  // @ts-expect-error No error has this code.
  void (code === "no_such_error");
  return code === "no_face_detected" ? "Show a face." : "Try another picture.";
}

// A field that may be left out is optional and never null.
export function everyFace(result: Schemas["PredictionResult"]): Schemas["PredictedFace"][] {
  const faces: Schemas["PredictedFace"][] | undefined = result.faces;
  const message: string | undefined = result.message;
  void message;
  return faces ?? [result];
}

// An explanation has an overlay or a grid.
export function explained(face: Schemas["PredictedFace"]): string | number[][] | undefined {
  const explanation = face.explanation;
  return explanation && ("overlay" in explanation ? explanation.overlay : explanation.grid);
}

// A box has four numbers.
export function corner([x, y, width, height]: Schemas["AnalysisResult"]["face_box"]): [number, number] {
  return [x + width, y + height];
}

// The codes of warnings and the formats of pictures are closed lists; labels are free text.
export const blurred: Schemas["WarningCode"] = "blurred";
// @ts-expect-error No picture has this format.
export const format: Schemas["PictureInfo"]["format"] = "gif";

export const label: Schemas["PredictedFace"]["emotion"] = "bored";

export type Options = operations["predict"]["parameters"]["query"];
export const options: Options = { faces: "largest", explain: "grid" };
