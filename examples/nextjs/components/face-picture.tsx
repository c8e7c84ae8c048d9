"use client";

export interface Face {
  box: { x: number; y: number; width: number; height: number };
  color: string;
  name: string;
}

interface Props {
  src: string;
  alt: string;
  /** The size of the picture that was read, which boxes refer to. Without it there are no boxes. */
  size?: { width: number; height: number };
  faces?: readonly Face[];
  onSize?: (width: number, height: number) => void;
}

/** A picture with the boxes of its faces. */
export function FacePicture({ src, alt, size, faces = [], onSize }: Props) {
  return (
    <div className="relative w-full overflow-hidden rounded-xl bg-line">
      {/* A picture of the visitor's own device: there is nothing for next/image to make smaller. */}
      {/* eslint-disable-next-line @next/next/no-img-element */}
      <img
        src={src}
        alt={alt}
        className="max-h-[28rem] w-full object-contain"
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => onSize?.(naturalWidth, naturalHeight)}
      />
      {size && (
        <svg
          className="absolute inset-0 size-full"
          viewBox={`0 0 ${size.width} ${size.height}`}
          preserveAspectRatio="xMidYMid meet"
          role="img"
          aria-label={faces.map((face) => face.name).join(", ") || "No face"}
        >
          {faces.map((face, index) => (
            <g key={index}>
              <rect {...face.box} fill="none" stroke="#fff" strokeWidth={size.width / 90} rx={size.width / 100} />
              <rect {...face.box} fill="none" stroke={face.color} strokeWidth={size.width / 160} rx={size.width / 100} />
            </g>
          ))}
        </svg>
      )}
    </div>
  );
}
