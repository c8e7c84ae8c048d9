// Made from the service's documents in docs/ by `npm run generate` in clients/typescript.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * PredictionResult
         * @description The prediction for a picture. The top level is the largest face that was asked for.
         */
        PredictionResult: {
            /**
             * Action Units
             * @description Action units by number; only with `details`.
             */
            action_units?: {
                [key: string]: components["schemas"]["ActionUnitEntry"];
            } | null;
            /**
             * Blendshapes
             * @description 52 blendshapes, 0 to 1; only with `details`.
             */
            blendshapes?: {
                [key: string]: number;
            } | null;
            /**
             * Confidence
             * @description The calibrated probability of that label.
             */
            confidence: number;
            /**
             * Description
             * @description The apparent expression in words, never a feeling; only with `details`.
             */
            description?: string;
            /**
             * Emotion
             * @description The most probable label: what the face shows, not what a person feels.
             */
            emotion: string;
            /** @description Six of the model's probabilities, not renormalised; only with `details`. */
            emotion_vector?: components["schemas"]["EmotionVector"];
            /**
             * Explanation
             * @description Only with `explain`.
             */
            explanation?: components["schemas"]["OverlayExplanation"] | components["schemas"]["GridExplanation"];
            face: components["schemas"]["FaceLocation"];
            /**
             * Faces
             * @description All faces, largest first. Only with `faces=all`.
             */
            faces?: components["schemas"]["PredictedFace"][];
            /**
             * Faces Detected
             * @description Faces found in the picture, with a prediction or without.
             */
            faces_detected: number;
            /** @description Only with `details`. */
            head_pose?: components["schemas"]["HeadPoseEntry"] | null;
            image: components["schemas"]["PictureInfo"];
            /** Inference Time Ms */
            inference_time_ms: number;
            /**
             * Is Uncertain
             * @description Whether the confidence is below `CONFIDENCE_THRESHOLD`.
             */
            is_uncertain: boolean;
            /**
             * Mesh
             * @description 478 points as [x, y, z] in pixels of the picture; only with `details`.
             */
            mesh?: number[][] | null;
            /**
             * Message
             * @description Names the two most probable labels when the prediction is uncertain.
             */
            message?: string;
            model: components["schemas"]["ModelVersion"];
            /**
             * Outputs
             * @description What the model gives beside its labels, by name; only of models whose manifest has some.
             */
            outputs?: {
                [key: string]: components["schemas"]["OutputValue"];
            };
            /**
             * Probabilities
             * @description Calibrated probabilities, in the model's order.
             */
            probabilities: {
                [key: string]: number;
            };
            /**
             * Request Id
             * @description Finds the request in the service's log.
             */
            request_id: string;
            /**
             * Success
             * @constant
             */
            success: true;
            /**
             * Timings Ms
             * @description Milliseconds by stage: `queue` is the wait for a worker, `total` the sum.
             */
            timings_ms: {
                [key: string]: number;
            };
            /** Warnings */
            warnings: components["schemas"]["WarningEntry"][];
        };
        /**
         * ActionUnitEntry
         * @description One action unit of the Facial Action Coding System.
         */
        ActionUnitEntry: {
            /**
             * Active
             * @description Whether it goes further than on 95 % of neutral faces.
             */
            active: boolean;
            /**
             * Intensity
             * @description From 0 to 1: how far the movement goes.
             */
            intensity: number;
            /**
             * Left
             * @description On the person's left side, where the unit has sides.
             */
            left?: number;
            /**
             * Name
             * @description Its usual name.
             */
            name: string;
            /** Right */
            right?: number;
        };
        /**
         * EmotionVector
         * @description Probabilities of a model. Null for an emotion that the model has no label for.
         */
        EmotionVector: {
            /** Anger */
            anger: number | null;
            /** Disgust */
            disgust: number | null;
            /** Fear */
            fear: number | null;
            /** Happiness */
            happiness: number | null;
            /** Sadness */
            sadness: number | null;
            /** Surprise */
            surprise: number | null;
        };
        /**
         * OverlayExplanation
         * @description Which parts of the face support a label, as a picture (`explain=true`).
         */
        OverlayExplanation: {
            /**
             * Corners
             * @description Where the map lies in the picture: top left, top right, bottom right, bottom left.
             */
            corners: [
                number,
                number
            ][];
            /**
             * Label
             * @description The label that is explained.
             */
            label: string;
            /**
             * Method
             * @description `cam`: a class-activation map; `contrast`: that map minus those of the other labels; `occlusion`: the effect of covering each part.
             * @enum {string}
             */
            method: "contrast" | "cam" | "occlusion";
            /**
             * Overlay
             * @description The map over the face's crop, as the data URL of a PNG.
             */
            overlay: string;
        };
        /**
         * GridExplanation
         * @description Which parts of the face support a label, as numbers (`explain=grid`).
         */
        GridExplanation: {
            /**
             * Corners
             * @description Where the map lies in the picture: top left, top right, bottom right, bottom left.
             */
            corners: [
                number,
                number
            ][];
            /**
             * Grid
             * @description The map as rows of values from 0 to 1.
             */
            grid: number[][];
            /**
             * Label
             * @description The label that is explained.
             */
            label: string;
            /**
             * Method
             * @description `cam`: a class-activation map; `contrast`: that map minus those of the other labels; `occlusion`: the effect of covering each part.
             * @enum {string}
             */
            method: "contrast" | "cam" | "occlusion";
        };
        /**
         * FaceLocation
         * @description Where a face is.
         */
        FaceLocation: {
            box: components["schemas"]["FaceBox"];
            /**
             * Landmarks
             * @description Points as [x, y] by name; left and right are the person's own. Empty without detection.
             */
            landmarks: {
                [key: string]: [
                    number,
                    number
                ];
            };
            /**
             * Score
             * @description The detector's confidence; 0 without detection (`on_no_face=center`).
             */
            score: number;
        };
        /**
         * FaceBox
         * @description A rectangle in pixels of the upright picture; it may reach beyond the picture's edge.
         */
        FaceBox: {
            /** Height */
            height: number;
            /** Width */
            width: number;
            /** X */
            x: number;
            /** Y */
            y: number;
        };
        /**
         * PredictedFace
         * @description One face with its prediction.
         */
        PredictedFace: {
            /**
             * Action Units
             * @description Action units by number; only with `details`.
             */
            action_units?: {
                [key: string]: components["schemas"]["ActionUnitEntry"];
            } | null;
            /**
             * Blendshapes
             * @description 52 blendshapes, 0 to 1; only with `details`.
             */
            blendshapes?: {
                [key: string]: number;
            } | null;
            /**
             * Confidence
             * @description The calibrated probability of that label.
             */
            confidence: number;
            /**
             * Description
             * @description The apparent expression in words, never a feeling; only with `details`.
             */
            description?: string;
            /**
             * Emotion
             * @description The most probable label: what the face shows, not what a person feels.
             */
            emotion: string;
            /** @description Six of the model's probabilities, not renormalised; only with `details`. */
            emotion_vector?: components["schemas"]["EmotionVector"];
            /**
             * Explanation
             * @description Only with `explain`.
             */
            explanation?: components["schemas"]["OverlayExplanation"] | components["schemas"]["GridExplanation"];
            face: components["schemas"]["FaceLocation"];
            /** @description Only with `details`. */
            head_pose?: components["schemas"]["HeadPoseEntry"] | null;
            /**
             * Is Uncertain
             * @description Whether the confidence is below `CONFIDENCE_THRESHOLD`.
             */
            is_uncertain: boolean;
            /**
             * Mesh
             * @description 478 points as [x, y, z] in pixels of the picture; only with `details`.
             */
            mesh?: number[][] | null;
            /**
             * Message
             * @description Names the two most probable labels when the prediction is uncertain.
             */
            message?: string;
            /**
             * Outputs
             * @description What the model gives beside its labels, by name; only of models whose manifest has some.
             */
            outputs?: {
                [key: string]: components["schemas"]["OutputValue"];
            };
            /**
             * Probabilities
             * @description Calibrated probabilities, in the model's order.
             */
            probabilities: {
                [key: string]: number;
            };
            /** Warnings */
            warnings: components["schemas"]["WarningEntry"][];
        };
        /**
         * HeadPoseEntry
         * @description The turn of the head in degrees.
         */
        HeadPoseEntry: {
            /**
             * Pitch
             * @description Positive: up.
             */
            pitch: number;
            /**
             * Roll
             * @description Positive: the head is tilted to the person's own right shoulder.
             */
            roll: number;
            /**
             * Yaw
             * @description Positive: the person looks to their own left.
             */
            yaw: number;
        };
        /**
         * OutputValue
         * @description One further number of a model.
         */
        OutputValue: {
            /**
             * Active
             * @description Whether a probability reaches its threshold.
             */
            active?: boolean;
            /** Value */
            value: number;
        };
        /**
         * WarningEntry
         * @description A property of the picture that makes the prediction less reliable.
         */
        WarningEntry: {
            code: components["schemas"]["WarningCode"];
            /**
             * Message
             * @description A sentence for the person who took the picture.
             */
            message: string;
        };
        /** @enum {string} */
        WarningCode: "face_too_small" | "blurred" | "too_dark" | "too_bright" | "turned_away" | "at_edge" | "multiple_faces" | "face_assumed" | "mesh_unsure";
        /**
         * PictureInfo
         * @description The decoded picture.
         */
        PictureInfo: {
            /**
             * Format
             * @enum {string}
             */
            format: "jpeg" | "png" | "webp" | "bmp";
            /** Height */
            height: number;
            /**
             * Width
             * @description Pixels across, after EXIF orientation.
             */
            width: number;
        };
        /**
         * ModelVersion
         * @description The model that made the prediction.
         */
        ModelVersion: {
            /** Name */
            name: string;
            /** Version */
            version: string;
        };
        /**
         * FramePrediction
         * @description The predictions for one frame.
         */
        FramePrediction: {
            /**
             * Type
             * @constant
             */
            type: "prediction";
            /**
             * Frame
             * @description The frame's number, from 0 by arrival.
             */
            frame: number;
            /**
             * T
             * @description The frame's time in seconds.
             */
            t: number;
            /**
             * Faces
             * @description The faces, largest first; empty without a face.
             */
            faces: components["schemas"]["TrackedFace"][];
            /** Faces Detected */
            faces_detected: number;
            image: components["schemas"]["PictureInfo"];
            /**
             * Skipped
             * @description Frames passed over since the last one with a prediction or an error.
             */
            skipped: number;
            /** @description The largest face by the profile. Only with a profile and a face. */
            practice?: components["schemas"]["PracticePoint"];
            /**
             * Timings Ms
             * @description Milliseconds by stage: `queue` is the wait for a worker, `total` the sum.
             */
            timings_ms: {
                [key: string]: number;
            };
        };
        /**
         * TrackedFace
         * @description A face of a frame, with its prediction.
         */
        TrackedFace: {
            /**
             * Outputs
             * @description What the model gives beside its labels, by name; only of models whose manifest has some.
             */
            outputs?: {
                [key: string]: components["schemas"]["OutputValue"];
            };
            /**
             * Emotion
             * @description The most probable label: what the face shows, not what a person feels.
             */
            emotion: string;
            /**
             * Confidence
             * @description The calibrated probability of that label.
             */
            confidence: number;
            /**
             * Is Uncertain
             * @description Whether the confidence is below `CONFIDENCE_THRESHOLD`.
             */
            is_uncertain: boolean;
            /**
             * Probabilities
             * @description Calibrated probabilities, in the model's order.
             */
            probabilities: {
                [key: string]: number;
            };
            /**
             * Message
             * @description Names the two most probable labels when the prediction is uncertain.
             */
            message?: string;
            /**
             * Explanation
             * @description Only with `explain`.
             */
            explanation?: components["schemas"]["OverlayExplanation"] | components["schemas"]["GridExplanation"];
            /**
             * Action Units
             * @description Action units by number; only with `details`.
             */
            action_units?: {
                [key: string]: components["schemas"]["ActionUnitEntry"];
            } | null;
            /**
             * Blendshapes
             * @description 52 blendshapes, 0 to 1; only with `details`.
             */
            blendshapes?: {
                [key: string]: number;
            } | null;
            /** @description Only with `details`. */
            head_pose?: components["schemas"]["HeadPoseEntry"] | null;
            /**
             * Mesh
             * @description 478 points as [x, y, z] in pixels of the picture; only with `details`.
             */
            mesh?: number[][] | null;
            /** @description Six of the model's probabilities, not renormalised; only with `details`. */
            emotion_vector?: components["schemas"]["EmotionVector"];
            /**
             * Description
             * @description The apparent expression in words, never a feeling; only with `details`.
             */
            description?: string;
            face: components["schemas"]["FaceLocation"];
            /** Warnings */
            warnings: components["schemas"]["WarningEntry"][];
            /**
             * Track
             * @description The number of this face, which it keeps while it is in view, from 1.
             */
            track: number;
            /**
             * Smoothed
             * @description Probabilities averaged over the last moments; null where `smoothing` is 0.
             */
            smoothed: {
                [key: string]: number;
            } | null;
        };
        /**
         * PracticePoint
         * @description A frame, or the mean of the frames in a span of time.
         */
        PracticePoint: {
            /**
             * Confidence
             * @description How confident the face looks, from 0 to 1.
             */
            confidence: number;
            /** @description The level of the smoothed confidence. */
            level: components["schemas"]["PracticeLevel"];
            /**
             * Smoothed Confidence
             * @description Mean of the last 15 frames with a face.
             */
            smoothed_confidence: number;
            /** T */
            t: number;
        };
        /** @enum {string} */
        PracticeLevel: "excellent" | "confident" | "moderate" | "nervous" | "anxious" | "very anxious";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
