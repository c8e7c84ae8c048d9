import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { ownSha256 } from "../src/sha256.js";

it("is SHA-256, for pages to which the browser gives none", () => {
  const data = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 2654435761) >>> 24);
  for (const length of [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 200_000]) {
    const part = data.subarray(7, 7 + length);
    expect(Buffer.from(ownSha256(part)).toString("hex"), `${length} bytes`).toBe(
      createHash("sha256").update(part).digest("hex"),
    );
  }
});
