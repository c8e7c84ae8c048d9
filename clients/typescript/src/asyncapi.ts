// Made from the service's documents in docs/ by `npm run generate` in clients/typescript.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * ActionUnitEntry
         * @description One action unit of the Facial Action Coding System.
         */
        ActionUnitEntry: {
            /**
             * Name
             * @description Its usual name.
             */
            name: string;
            /**
             * Intensity
             * @description From 0 to 1: how far the movement goes.
             */
            intensity: number;
            /**
             * Active
             * @description Whether it goes further than on 95 % of neutral faces.
             */
            active: boolean;
            /**
             * Left
             * @description On the person's left side, where the unit has sides.
             */
            left?: number;
            /** Right */
            right?: number;
        };
        /**
         * Caveat
         * @description A reason to doubt a summary.
         */
        Caveat: {
            code: components["schemas"]["CaveatCode"];
            /** Message */
            message: string;
        };
        /** @enum {string} */
        CaveatCode: "few_frames" | "no_faces" | "face_missing" | "often_uncertain" | "picture_quality" | "frames_skipped" | "frames_failed" | "gaps" | "several_faces" | "tracks_left_out" | "changes_left_out";
        /** Change */
        Change: {
            /** T */
            t: number;
            /** Track */
            track: number;
            /** From */
            from: string;
            /** To */
            to: string;
        };
        /**
         * EmotionVector
         * @description Probabilities of a model. Null for an emotion that the model has no label for.
         */
        EmotionVector: {
            /** Happiness */
            happiness: number | null;
            /** Sadness */
            sadness: number | null;
            /** Anger */
            anger: number | null;
            /** Fear */
            fear: number | null;
            /** Surprise */
            surprise: number | null;
            /** Disgust */
            disgust: number | null;
        };
        /** @enum {string} */
        ErrorCode: "invalid_request" | "malformed_request" | "headers_too_large" | "empty_file" | "unsupported_media_type" | "file_too_large" | "image_too_large" | "too_many_files" | "invalid_image" | "image_too_small" | "no_face_detected" | "multiple_faces" | "unauthorized" | "forbidden" | "rate_limited" | "overloaded" | "timeout" | "not_ready" | "model_not_found" | "model_rejected" | "details_unavailable" | "not_found" | "method_not_allowed" | "internal_error";
        /**
         * FaceBox
         * @description A rectangle in pixels of the upright picture; it may reach beyond the picture's edge.
         */
        FaceBox: {
            /** X */
            x: number;
            /** Y */
            y: number;
            /** Width */
            width: number;
            /** Height */
            height: number;
        };
        /**
         * FaceLocation
         * @description Where a face is.
         */
        FaceLocation: {
            box: components["schemas"]["FaceBox"];
            /**
             * Score
             * @description The detector's confidence; 0 without detection (`on_no_face=center`).
             */
            score: number;
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
        };
        /**
         * Finish
         * @description Asks for the summary, after the frames that wait. Then the stream is closed.
         */
        Finish: {
            /**
             * Type
             * @constant
             */
            type: "end";
        };
        /**
         * FrameCounts
         * @description The frames of a session: ``received`` = ``read`` + ``failed`` + all ``skipped``.
         */
        FrameCounts: {
            /** Received */
            received: number;
            /** Read */
            read: number;
            /**
             * Failed
             * @description Frames that had an `error`.
             */
            failed: number;
            /**
             * Skipped
             * @description Frames that were passed over, by reason.
             */
            skipped: {
                [key: string]: number;
            };
            /**
             * Without Face
             * @description Frames that were read and show no face.
             */
            without_face: number;
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
         * GridExplanation
         * @description Which parts of the face support a label, as numbers (`explain=grid`).
         */
        GridExplanation: {
            /**
             * Method
             * @description `cam`: a class-activation map; `contrast`: that map minus those of the other labels; `occlusion`: the effect of covering each part.
             * @enum {string}
             */
            method: "contrast" | "cam" | "occlusion";
            /**
             * Label
             * @description The label that is explained.
             */
            label: string;
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
        };
        /**
         * HeadPoseEntry
         * @description The turn of the head in degrees.
         */
        HeadPoseEntry: {
            /**
             * Yaw
             * @description Positive: the person looks to their own left.
             */
            yaw: number;
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
        };
        /**
         * Improvement
         * @description What a person may practise.
         */
        Improvement: {
            code: components["schemas"]["ImprovementCode"];
            /** Message */
            message: string;
        };
        /** @enum {string} */
        ImprovementCode: "low_confidence" | "sudden_drops" | "declining" | "uneven" | "weak_beginning" | "weak_end" | "tense";
        /** LevelEvent */
        LevelEvent: {
            /**
             * Type
             * @constant
             */
            type: "event";
            /**
             * Event
             * @constant
             */
            event: "level_changed";
            /** T */
            t: number;
            /** Track */
            track: number;
            from: components["schemas"]["PracticeLevel"] | null;
            to: components["schemas"]["PracticeLevel"];
            /** Smoothed Confidence */
            smoothed_confidence: number;
            /** Message */
            message: string;
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
         * OutputValue
         * @description One further number of a model.
         */
        OutputValue: {
            /** Value */
            value: number;
            /**
             * Active
             * @description Whether a probability reaches its threshold.
             */
            active?: boolean;
        };
        /**
         * OverlayExplanation
         * @description Which parts of the face support a label, as a picture (`explain=true`).
         */
        OverlayExplanation: {
            /**
             * Method
             * @description `cam`: a class-activation map; `contrast`: that map minus those of the other labels; `occlusion`: the effect of covering each part.
             * @enum {string}
             */
            method: "contrast" | "cam" | "occlusion";
            /**
             * Label
             * @description The label that is explained.
             */
            label: string;
            /**
             * Corners
             * @description Where the map lies in the picture: top left, top right, bottom right, bottom left.
             */
            corners: [
                number,
                number
            ][];
            /**
             * Overlay
             * @description The map over the face's crop, as the data URL of a PNG.
             */
            overlay: string;
        };
        /**
         * PictureInfo
         * @description The decoded picture.
         */
        PictureInfo: {
            /**
             * Width
             * @description Pixels across, after EXIF orientation.
             */
            width: number;
            /** Height */
            height: number;
            /**
             * Format
             * @enum {string}
             */
            format: "jpeg" | "png" | "webp" | "bmp";
        };
        /** @enum {string} */
        PracticeLevel: "excellent" | "confident" | "moderate" | "nervous" | "anxious" | "very anxious";
        /**
         * PracticePoint
         * @description A frame, or the mean of the frames in a span of time.
         */
        PracticePoint: {
            /** T */
            t: number;
            /**
             * Confidence
             * @description How confident the face looks, from 0 to 1.
             */
            confidence: number;
            /**
             * Smoothed Confidence
             * @description Mean of the last 15 frames with a face.
             */
            smoothed_confidence: number;
            /** @description The level of the smoothed confidence. */
            level: components["schemas"]["PracticeLevel"];
        };
        /**
         * ProfileResult
         * @description What the profile says of a session. It describes an appearance and is not for judging anybody.
         */
        ProfileResult: {
            /**
             * Name
             * @constant
             */
            name: "interview_practice";
            /**
             * Mean Confidence
             * @description Null without a frame with a face.
             */
            mean_confidence: number | null;
            /**
             * Frames
             * @description At most 600 points: the frames with a face, or means by equal spans of time.
             */
            frames: components["schemas"]["PracticePoint"][];
            /**
             * Spikes
             * @description The first 1,000.
             */
            spikes: components["schemas"]["Spike"][];
            segments: components["schemas"]["Segments"];
            /** @description Null without a frame with a face. */
            stability: components["schemas"]["Stability"] | null;
            /** Improvement Areas */
            improvement_areas: components["schemas"]["Improvement"][];
            /**
             * Notice
             * @description What this result is, and what it must not be used for.
             */
            notice: string;
        };
        /**
         * Segment
         * @description A part of the session, by the count of its frames with a face. Without such frames, the means are null.
         */
        Segment: {
            /** Mean Confidence */
            mean_confidence: number | null;
            /**
             * Dominant
             * @description The label of the most frames.
             */
            dominant: string | null;
            /** Spikes */
            spikes: number;
        };
        /**
         * Segments
         * @description The first 20 %, the middle 60 % and the last 20 % of the frames with a face.
         */
        Segments: {
            beginning: components["schemas"]["Segment"];
            middle: components["schemas"]["Segment"];
            end: components["schemas"]["Segment"];
        };
        /**
         * SeriesPoint
         * @description A frame of a track, or the mean of its frames in a span of time.
         */
        SeriesPoint: {
            /** T */
            t: number;
            /** Track */
            track: number;
            /** Probabilities */
            probabilities: {
                [key: string]: number;
            };
        };
        /**
         * SessionSummary
         * @description What the frames of a session come to.
         */
        SessionSummary: {
            /**
             * Success
             * @constant
             */
            success: true;
            /**
             * Type
             * @constant
             */
            type: "summary";
            /**
             * Reason
             * @description Why the session ended: `end`, `idle`, `draining`, …
             */
            reason: string;
            /**
             * Duration
             * @description Seconds from the first frame that was read to the last.
             */
            duration: number;
            frames: components["schemas"]["FrameCounts"];
            /**
             * Tracks
             * @description The faces; of more than 200 those with the most frames.
             */
            tracks: components["schemas"]["TrackSummary"][];
            /**
             * Changes
             * @description Changes of the most probable label; the first 1,000.
             */
            changes: components["schemas"]["Change"][];
            /**
             * Series
             * @description At most 600 points: every frame of every track, or means by equal spans of time.
             */
            series: components["schemas"]["SeriesPoint"][];
            /** Caveats */
            caveats: components["schemas"]["Caveat"][];
            /** @description The result of the profile that was asked for. */
            profile: components["schemas"]["ProfileResult"] | null;
        };
        /**
         * Spike
         * @description A sudden drop of the confidence below the mean of the three frames before.
         */
        Spike: {
            /** T */
            t: number;
            /**
             * Magnitude
             * @description The difference from that mean.
             */
            magnitude: number;
        };
        /**
         * SpikeEvent
         * @description A spike, as it happens.
         */
        SpikeEvent: {
            /**
             * Type
             * @constant
             */
            type: "event";
            /**
             * Event
             * @constant
             */
            event: "spike";
            /** T */
            t: number;
            /** Track */
            track: number;
            /** Magnitude */
            magnitude: number;
            /**
             * Message
             * @description A sentence for the person in the recording.
             */
            message: string;
        };
        /**
         * Stability
         * @description The confidence over the last 15 frames with a face.
         */
        Stability: {
            /** Variance */
            variance: number;
            /**
             * Trend
             * @description By the slope of a least-squares line: beyond ±0.005 a frame.
             * @enum {string}
             */
            trend: "improving" | "declining" | "steady";
            /**
             * Consistency
             * @description 1 − min(1, 4 × standard deviation).
             */
            consistency: number;
        };
        /**
         * Started
         * @description The stream is open: what it is, and what it accepts.
         */
        Started: {
            /**
             * Type
             * @constant
             */
            type: "started";
            /**
             * Session
             * @description The id of this stream, which the service's log has as request id.
             */
            session: string;
            model: components["schemas"]["ModelVersion"];
            /**
             * Labels
             * @description The labels of the probabilities, in their order.
             */
            labels: string[];
            /**
             * Faces
             * @enum {string}
             */
            faces: "largest" | "all";
            /**
             * Details
             * @description What each face has besides its prediction.
             */
            details: string[];
            /**
             * Smoothing
             * @description Time constant of `smoothed` in seconds; 0 turns it off.
             */
            smoothing: number;
            /**
             * Profile
             * @description The profile of the summary.
             */
            profile: string | null;
            limits: components["schemas"]["StreamLimits"];
        };
        /**
         * StreamError
         * @description An error. A frame or message with one does not end the stream; ten in a row do.
         */
        StreamError: {
            /**
             * Success
             * @constant
             */
            success: false;
            /** @description A code that stays the same. */
            error: components["schemas"]["ErrorCode"];
            /**
             * Message
             * @description A sentence for the person who sent the request.
             */
            message: string;
            /**
             * Request Id
             * @description Finds the request in the service's log.
             */
            request_id: string;
            /**
             * Type
             * @constant
             */
            type: "error";
            /**
             * Frame
             * @description The frame that the error belongs to.
             */
            frame?: number;
            /**
             * Skipped
             * @description Frames passed over since the last prediction or error.
             */
            skipped?: number;
            /**
             * Retry After
             * @description Seconds to wait before the next try.
             */
            retry_after?: number;
        };
        /**
         * StreamLimits
         * @description What the stream accepts.
         */
        StreamLimits: {
            /**
             * Frame Bytes
             * @description Most bytes of a frame.
             */
            frame_bytes: number;
            /**
             * Pixels
             * @description Most pixels of a frame.
             */
            pixels: number;
            /**
             * Frames Per Second
             * @description Frames of this client that are read each second.
             */
            frames_per_second: number;
            /**
             * Idle Seconds
             * @description Seconds without a message after which the stream ends.
             */
            idle_seconds: number;
            /**
             * Bad Messages
             * @description Errors in a row after which the stream ends.
             */
            bad_messages: number;
        };
        /**
         * Time
         * @description Sets the time of the next frame. Without it, that is the time of its arrival since the start.
         */
        Time: {
            /**
             * Type
             * @constant
             */
            type: "time";
            /**
             * T
             * @description Seconds; not less than the time of the frame before.
             */
            t: number;
        };
        /** TrackSummary */
        TrackSummary: {
            /** Track */
            track: number;
            /**
             * From
             * @description The time of its first frame, in seconds.
             */
            from: number;
            /**
             * To
             * @description The time of its last frame, in seconds.
             */
            to: number;
            /**
             * Seconds
             * @description Time with this face: a frame counts until the next one, at most 1 s.
             */
            seconds: number;
            /** Frames */
            frames: number;
            /**
             * Share
             * @description Share of that time by the most probable label.
             */
            share: {
                [key: string]: number;
            };
            /**
             * Mean Probabilities
             * @description Means over its frames.
             */
            mean_probabilities: {
                [key: string]: number;
            };
            /**
             * Uncertain Share
             * @description Share of its frames with an uncertain prediction.
             */
            uncertain_share: number;
            /**
             * Warnings
             * @description Its frames by the code of their warnings.
             */
            warnings: {
                [key: string]: number;
            };
            /**
             * Largest Gap
             * @description Longest time between two of its frames, in seconds.
             */
            largest_gap: number;
            /**
             * Action Units
             * @description By number; only where its frames have action units.
             */
            action_units?: {
                [key: string]: components["schemas"]["UnitSummary"];
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
         * UnitSummary
         * @description One action unit of a track, over the frames in which it was measured.
         */
        UnitSummary: {
            /** Name */
            name: string;
            /**
             * Mean Intensity
             * @description From 0 to 1.
             */
            mean_intensity: number;
            /**
             * Active Share
             * @description Share of these frames in which it is active.
             */
            active_share: number;
        };
        /** @enum {string} */
        WarningCode: "face_too_small" | "blurred" | "too_dark" | "too_bright" | "turned_away" | "at_edge" | "multiple_faces" | "face_assumed" | "mesh_unsure";
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
        end: components["schemas"]["Finish"];
        error: components["schemas"]["StreamError"];
        event: components["schemas"]["SpikeEvent"] | components["schemas"]["LevelEvent"];
        prediction: components["schemas"]["FramePrediction"];
        started: components["schemas"]["Started"];
        summary: components["schemas"]["SessionSummary"];
        time: components["schemas"]["Time"];
        /**
         * StreamQuery
         * @description The query of ``WS /stream``.
         */
        StreamQuery: {
            /**
             * Model
             * @description Name of a model of `GET /models`; without it, the default model.
             */
            model?: string;
            /**
             * Faces
             * @description `largest` reads the largest face of a frame, `all` reads all.
             * @default largest
             * @enum {string}
             */
            faces?: "largest" | "all";
            /**
             * Details
             * @description What else to return of each face, separated by commas: `action_units`, `blendshapes`, `head_pose`, `mesh`, `emotion_vector`, `description`.
             */
            details?: string;
            /**
             * Smoothing
             * @description Time constant of `smoothed` in seconds; 0 turns it off.
             * @default 0.5
             */
            smoothing?: number;
            /**
             * Profile
             * @description Profile of the session, where `SESSION_PROFILES` lists it; needs `purpose=own_practice`.
             * @constant
             */
            profile?: "interview_practice";
            /**
             * Purpose
             * @description Says that the person in front of the camera opened this stream for their own practice.
             * @constant
             */
            purpose?: "own_practice";
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
