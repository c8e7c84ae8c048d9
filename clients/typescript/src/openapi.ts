// Made from the service's documents in docs/ by `npm run generate` in clients/typescript.
export interface paths {
    "/analyze/facial": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Predict the expression in a picture inside JSON
         * @description Takes a picture as base64 or as a data URL and returns the short form that many front ends know.
         *
         *     White space, the URL-safe alphabet and missing padding are accepted. A picture without a face is the error
         *     `no_face_detected`, as on the other routes; with `on_no_face=center` the middle of the picture is taken as the
         *     face, and `face_detected` is false.
         *
         *     ```sh
         *     printf '{"image": "%s"}' "$(base64 < sample_images/happy_sample.jpg)" |
         *       tr -d '\n' | curl -H 'Content-Type: application/json' -d @- http://localhost:8000/analyze/facial
         *     ```
         */
        post: operations["analyze_facial"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analyze/multimodal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Fuse a picture with the results of a voice and a text service
         * @description Takes a picture, and what other services say of a voice and of a text; at least one of them. Emotions of face and
         *     voice are fused by halves. A picture that fails has its error in its place, and the others still count; alone, it is
         *     the error of the request.
         *
         *     ```sh
         *     curl -F image=@sample_images/happy_sample.jpg -F 'voice={"emotions": {"happy": 0.6, "neutral": 0.4}}' \
         *       -F 'text={"quality_score": 80}' http://localhost:8000/analyze/multimodal
         *     ```
         *
         *     The scores are those of the profile `interview_practice` and are there only where the operator allows it. They
         *     describe an appearance, for a person's own practice.
         */
        post: operations["analyze_multimodal"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analyze/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Summarise a series of predictions
         * @description Takes the predictions of one face over time, up to 100,000, and returns the summary that a stream of these frames
         *     ends with. Nothing is kept.
         *
         *     ```sh
         *     curl -H 'Content-Type: application/json' http://localhost:8000/analyze/session -d \
         *       '{"frames": [{"t": 0, "probabilities": {"happy": 0.8, "neutral": 0.2}}, {"t": 1, "probabilities": null}]}'
         *     ```
         *
         *     With `Accept: text/csv` the result is every frame, as a table with one row a frame. With the profile
         *     `interview_practice`, which the operator has to allow, both have its figures; they describe an appearance, for a
         *     person's own practice.
         */
        post: operations["analyze_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How the service is
         * @description Responds with 503 until the service can serve.
         */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process should be left alone
         * @description Responds with 503 when only a restart helps: more threads hang than can be replaced.
         */
        get: operations["live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether requests should be sent here
         * @description Responds with 503 while the service starts or stops, has no usable model or worker, or has a full queue.
         */
        get: operations["ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What this service is and how it is set up
         * @description Returns the version, the models with their figures, the limits of a request, the thresholds of the warnings, the
         *     execution providers in use, how labels and levels of confidence are shown, and the notice on use.
         */
        get: operations["info"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/labels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Labels, levels, thresholds and limits, in a few bytes
         * @description Returns what a client needs before its first picture: the names of the labels, the least confidence of each
         *     level, and the limits. `GET /info` has the rest, with colours and emoji.
         */
        get: operations["labels"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics for Prometheus
         * @description Requests, stages, predictions, load and resources. Nothing in them identifies a person.
         */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The models, with their cards and figures
         * @description Returns every model that `model=` can name: what it is, what data it learned from, its figures, the hash of its
         *     file and its card.
         */
        get: operations["models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/reload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Load the models again from disk
         * @description Checks and loads every model again and swaps them all at once. Requests that have begun keep their model. If the
         *     default model cannot be served, nothing changes.
         *
         *     The route exists only where `API_KEYS` are set, and needs a key that is marked `:admin` there. One reload runs at a
         *     time; another gets `overloaded`.
         */
        post: operations["reload_models"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predict": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Predict the expression in a picture
         * @description Takes a picture, finds the face and returns its apparent expression: what the face shows, which is not
         *     necessarily what the person feels.
         *
         *     ```sh
         *     curl -F file=@sample_images/happy_sample.jpg http://localhost:8000/predict
         *     ```
         *
         *     The picture stays in memory and is dropped after the response.
         */
        post: operations["predict"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predict/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Predict the expressions in several pictures
         * @description Takes several pictures and returns for each what `/predict` would return, in the order of the request. An item
         *     that fails has its error in its place and does not affect the others.
         *
         *     ```sh
         *     curl -F files=@sample_images/happy_sample.jpg -F files=@sample_images/no_face.jpg \
         *       http://localhost:8000/predict/batch
         *     ```
         *
         *     With `Accept: text/csv` the result is a table with one row an item. Each picture of a batch counts against the
         *     client's rate.
         */
        post: operations["predict_batch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predict/compare": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Compare models on a picture
         * @description Takes a picture, finds the face once, and returns the prediction of each model, its time, and where the models
         *     disagree.
         *
         *     ```sh
         *     curl -F file=@sample_images/happy_sample.jpg http://localhost:8000/predict/compare
         *     ```
         */
        post: operations["compare"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Totals since the start
         * @description Pictures and predictions, by model. Every process counts for itself, and forgets when it ends.
         *
         *     With `STATS=false` this is `not_found`.
         */
        get: operations["stats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/stream/token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get a token with which a browser opens a stream
         * @description A browser cannot send an API key with a WebSocket. Let your server call this route with its key, and give the
         *     token to the page, which offers it as a subprotocol:
         *
         *     ```js
         *     new WebSocket("wss://HOST/stream", ["visage.v1", `visage.key.${token}`]);
         *     ```
         *
         *     The token must be used within a minute. The stream counts as the key's own.
         */
        post: operations["stream_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
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
         * AnalysisResult
         * @description The prediction for one face, in the form that clients of other expression services know.
         */
        AnalysisResult: {
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
             * Dominant Emotion
             * @description The most probable label: what the face shows, not what a person feels.
             */
            dominant_emotion: string;
            /** @description Six of the model's probabilities, not renormalised; only with `details`. */
            emotion_vector?: components["schemas"]["EmotionVector"];
            /**
             * Emotions
             * @description Calibrated probabilities, in the model's order.
             */
            emotions: {
                [key: string]: number;
            };
            face_box: components["schemas"]["BoxNumbers"];
            /**
             * Face Detected
             * @description False only with `on_no_face=center`, where no face was found.
             */
            face_detected: boolean;
            /**
             * Faces
             * @description The face above, or with `faces=all` all, largest first.
             */
            faces: components["schemas"]["PredictedFace"][];
            /**
             * Faces Detected
             * @description Faces found in the picture, with a prediction or without.
             */
            faces_detected: number;
            /** @description Only with `details`. */
            head_pose?: components["schemas"]["HeadPoseEntry"] | null;
            image: components["schemas"]["PictureInfo"];
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
             * Request Id
             * @description Finds the request in the service's log.
             */
            request_id: string;
            /**
             * Success
             * @constant
             */
            success: true;
            /** Warnings */
            warnings: components["schemas"]["WarningEntry"][];
        };
        /**
         * BatchError
         * @description An item of a batch with the error that it would have had alone.
         */
        BatchError: {
            error: components["schemas"]["ErrorCode"];
            /**
             * Filename
             * @description The file's name, without folders, control characters and excess length.
             */
            filename: string | null;
            /**
             * Index
             * @description The item's place in the request, from 0.
             */
            index: number;
            /**
             * Message
             * @description A sentence for the person who sent the request.
             */
            message: string;
            /**
             * Success
             * @constant
             */
            success: false;
        };
        /**
         * BatchPrediction
         * @description An item of a batch with its prediction.
         */
        BatchPrediction: {
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
            /**
             * Filename
             * @description The file's name, without folders, control characters and excess length.
             */
            filename: string | null;
            /** @description Only with `details`. */
            head_pose?: components["schemas"]["HeadPoseEntry"] | null;
            image: components["schemas"]["PictureInfo"];
            /**
             * Index
             * @description The item's place in the request, from 0.
             */
            index: number;
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
         * BatchResult
         * @description The results of a batch: one item a file, in the order of the request.
         */
        BatchResult: {
            model: components["schemas"]["ModelVersion"];
            /**
             * Request Id
             * @description Finds the request in the service's log.
             */
            request_id: string;
            /** Results */
            results: (components["schemas"]["BatchPrediction"] | components["schemas"]["BatchError"])[];
            /**
             * Success
             * @description The batch was read; each item has its own `success`.
             * @constant
             */
            success: true;
            summary: components["schemas"]["BatchSummary"];
            /** Total Time Ms */
            total_time_ms: number;
        };
        /**
         * BatchSummary
         * @description Counts of the items of a batch.
         */
        BatchSummary: {
            /**
             * By Emotion
             * @description Succeeded items by the emotion of their (largest) face.
             */
            by_emotion: {
                [key: string]: number;
            };
            /**
             * By Error
             * @description Failed items by the code of their error.
             */
            by_error: {
                [key: string]: number;
            };
            /** Failed */
            failed: number;
            /** Succeeded */
            succeeded: number;
            /** Total */
            total: number;
            /**
             * Uncertain
             * @description Succeeded items whose (largest) face has an uncertain prediction.
             */
            uncertain: number;
        };
        /** @description [x, y, width, height] of a face in pixels. */
        BoxNumbers: [
            number,
            number,
            number,
            number
        ];
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
            /** From */
            from: string;
            /** T */
            t: number;
            /** To */
            to: string;
            /** Track */
            track: number;
        };
        /**
         * ClientLimits
         * @description What a client checks before it sends pictures.
         */
        ClientLimits: {
            /** Max Batch Files */
            max_batch_files: number;
            /** Max Batch Size Mb */
            max_batch_size_mb: number;
            /** Max File Size Mb */
            max_file_size_mb: number;
            /** Max Image Pixels */
            max_image_pixels: number;
            /** Rate Limit */
            rate_limit: string;
        };
        /**
         * ClientThresholds
         * @description The thresholds that decide about a prediction.
         */
        ClientThresholds: {
            /**
             * Confidence
             * @description Confidence below which a prediction is uncertain.
             */
            confidence: number;
            /**
             * Detection
             * @description Least score of a detected face.
             */
            detection: number;
        };
        /**
         * ComparedModel
         * @description The prediction of one of several models.
         */
        ComparedModel: {
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
            /** Inference Time Ms */
            inference_time_ms: number;
            /**
             * Is Uncertain
             * @description Whether the confidence is below `CONFIDENCE_THRESHOLD`.
             */
            is_uncertain: boolean;
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
        };
        /**
         * ComparisonResult
         * @description The predictions of several models for one face.
         */
        ComparisonResult: {
            /**
             * Action Units
             * @description Action units by number; only with `details`.
             */
            action_units?: {
                [key: string]: components["schemas"]["ActionUnitEntry"];
            } | null;
            /**
             * Agree
             * @description Whether all models give the same emotion.
             */
            agree: boolean;
            /**
             * Blendshapes
             * @description 52 blendshapes, 0 to 1; only with `details`.
             */
            blendshapes?: {
                [key: string]: number;
            } | null;
            /**
             * By Emotion
             * @description The names of the models that give each emotion.
             */
            by_emotion: {
                [key: string]: string[];
            };
            face: components["schemas"]["FaceLocation"];
            /** Faces Detected */
            faces_detected: number;
            /** @description Only with `details`. */
            head_pose?: components["schemas"]["HeadPoseEntry"] | null;
            image: components["schemas"]["PictureInfo"];
            /**
             * Largest Difference
             * @description Between the models' probabilities of each label.
             */
            largest_difference: {
                [key: string]: number;
            };
            /**
             * Mesh
             * @description 478 points as [x, y, z] in pixels of the picture; only with `details`.
             */
            mesh?: number[][] | null;
            /**
             * Models
             * @description In the order in which they were asked for.
             */
            models: components["schemas"]["ComparedModel"][];
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
         * DetailsInfo
         * @description The details of a face.
         */
        DetailsInfo: {
            /** Action Units */
            action_units: {
                [key: string]: components["schemas"]["UnitInfo"];
            };
            /** Method */
            method: string;
            /**
             * Names
             * @description What `details` may name.
             */
            names: string[];
            /**
             * State
             * @enum {string}
             */
            state: "off" | "not_loaded" | "loaded" | "unavailable";
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
         * Error
         * @description The form of every error, whatever its cause.
         */
        Error: {
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
             * Success
             * @constant
             */
            success: false;
        };
        /** @enum {string} */
        ErrorCode: "invalid_request" | "malformed_request" | "headers_too_large" | "empty_file" | "unsupported_media_type" | "file_too_large" | "image_too_large" | "too_many_files" | "invalid_image" | "image_too_small" | "no_face_detected" | "multiple_faces" | "unauthorized" | "forbidden" | "rate_limited" | "overloaded" | "timeout" | "not_ready" | "model_not_found" | "model_rejected" | "details_unavailable" | "not_found" | "method_not_allowed" | "internal_error";
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
         * FacialPart
         * @description The prediction for the picture's face.
         */
        FacialPart: {
            /** Emotions */
            emotions: {
                [key: string]: number;
            };
            /** Is Uncertain */
            is_uncertain: boolean;
            /**
             * Score
             * @description From 0 to 100: how confident it looks, by the profile's formula.
             */
            score?: number;
        };
        /**
         * FailedPart
         * @description The error of a picture, which does not count.
         */
        FailedPart: {
            error: components["schemas"]["ErrorCode"];
            /** Message */
            message: string;
        };
        /**
         * FrameCounts
         * @description The frames of a session: ``received`` = ``read`` + ``failed`` + all ``skipped``.
         */
        FrameCounts: {
            /**
             * Failed
             * @description Frames that had an `error`.
             */
            failed: number;
            /** Read */
            read: number;
            /** Received */
            received: number;
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
         * FurtherOutputInfo
         * @description What a model gives beside its labels.
         */
        FurtherOutputInfo: {
            /**
             * Kind
             * @enum {string}
             */
            kind: "regression" | "multilabel";
            /** Names */
            names: string[];
            /**
             * Range
             * @description Least and greatest value of a regression.
             */
            range?: number[];
            /**
             * Thresholds
             * @description The probability from which each name of a multilabel is active.
             */
            thresholds?: number[];
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
         * Health
         * @description How the service is.
         */
        Health: {
            /**
             * Details
             * @description Whether details can be had; without them, the rest of the service is the same.
             * @enum {string}
             */
            details: "off" | "not_loaded" | "loaded" | "unavailable";
            /**
             * Details Reason
             * @description Why details cannot be had.
             */
            details_reason?: string | null;
            /**
             * Is Cold Start
             * @description True in the first minute, while caches are cold.
             */
            is_cold_start: boolean;
            /** Model Loaded */
            model_loaded: boolean;
            /**
             * Rate Limit Storage
             * @description Where rate limits are counted at this moment.
             * @enum {string}
             */
            rate_limit_storage: "off" | "memory" | "redis" | "memory while redis is away";
            /**
             * Reason
             * @description Why it is not ok.
             */
            reason?: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "starting" | "unavailable";
            /** Uptime Seconds */
            uptime_seconds: number;
        };
        /**
         * Histogram
         * @description Counts by bins: each value counts in the first bin whose bound it does not exceed, or in the last.
         */
        Histogram: {
            /** Bounds */
            bounds: number[];
            /**
             * Counts
             * @description One more than there are bounds: the last bin is open.
             */
            counts: number[];
            /** Mean */
            mean: number | null;
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
        /**
         * Info
         * @description What this service is and how it is set up.
         */
        Info: {
            /** Default Model */
            default_model: string;
            details: components["schemas"]["DetailsInfo"];
            /**
             * Failures
             * @description What is wrong with each model that is not served, in one sentence.
             */
            failures: {
                [key: string]: string;
            };
            /**
             * Labels
             * @description Every label of the models that are served.
             */
            labels: components["schemas"]["Label"][];
            /**
             * Levels
             * @description From the least confidence to the most.
             */
            levels: components["schemas"]["Level"][];
            limits: components["schemas"]["RequestLimits"];
            /** Models */
            models: components["schemas"]["ModelInfo"][];
            notice: components["schemas"]["Notice"];
            /**
             * Providers
             * @description Execution providers that the default model uses.
             */
            providers: string[];
            /**
             * Quality Thresholds
             * @description When each warning is given.
             */
            quality_thresholds: {
                [key: string]: components["schemas"]["WarningThreshold"];
            };
            /** Service */
            service: string;
            /**
             * Session Profiles
             * @description The profiles that sessions may ask for.
             */
            session_profiles: string[];
            /**
             * Success
             * @constant
             */
            success: true;
            /** Version */
            version: string;
            workers: components["schemas"]["Workers"];
        };
        JsonValue: unknown;
        /**
         * Label
         * @description A label, and how it is shown.
         */
        Label: {
            /** Color */
            color: string;
            /** Emoji */
            emoji: string;
            /** Name */
            name: string;
        };
        /**
         * Labels
         * @description The few facts that a client needs.
         */
        Labels: {
            /**
             * Labels
             * @description Every label of the models that are served.
             */
            labels: string[];
            /**
             * Levels
             * @description The least confidence of each level.
             */
            levels: {
                [key: string]: number;
            };
            limits: components["schemas"]["ClientLimits"];
            /**
             * Success
             * @constant
             */
            success: true;
            thresholds: components["schemas"]["ClientThresholds"];
        };
        /**
         * Law
         * @description A legal duty of whoever uses the service.
         */
        Law: {
            /** Article */
            article: string;
            /**
             * Date
             * @description The day from which it applies, as YYYY-MM-DD.
             */
            date: string;
            /** Name */
            name: string;
            /** Says */
            says: string;
        };
        /** Level */
        Level: {
            /** Color */
            color: string;
            /** Emoji */
            emoji: string;
            /**
             * From
             * @description The least confidence of this level.
             */
            from: number;
            /**
             * Name
             * @enum {string}
             */
            name: "uncertain" | "fair" | "sure";
        };
        /**
         * ModelInfo
         * @description What the manifest of a model says, and how the model runs here.
         */
        ModelInfo: {
            /** Architecture */
            architecture: string;
            /**
             * Default
             * @description Whether requests that name no model get this one.
             */
            default: boolean;
            /**
             * Explain Methods
             * @description Every method that `explain_method` can name.
             */
            explain_methods: ("contrast" | "cam" | "occlusion")[];
            /**
             * Explains By
             * @description The method of its explanations where none is asked for.
             * @enum {string}
             */
            explains_by: "contrast" | "cam" | "occlusion";
            input: components["schemas"]["ModelInput"];
            /** Labels */
            labels: string[];
            /** License */
            license: string;
            /**
             * Loaded
             * @description Whether it is in memory: true for every model that is served.
             */
            loaded: boolean;
            /** Metrics */
            metrics: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Name */
            name: string;
            /**
             * Outputs
             * @description Beside the labels; most models have none.
             */
            outputs: components["schemas"]["FurtherOutputInfo"][];
            /**
             * Providers
             * @description Execution providers in use.
             */
            providers: string[];
            /** Sha256 */
            sha256: string;
            /** Trained On */
            trained_on: string;
            /** Version */
            version: string;
        };
        /**
         * ModelInput
         * @description The crop that a model takes.
         */
        ModelInput: {
            /**
             * Channels
             * @enum {string}
             */
            channels: "gray" | "rgb" | "bgr";
            /** Height */
            height: number;
            /** Width */
            width: number;
        };
        /**
         * ModelStats
         * @description The predictions of one model.
         */
        ModelStats: {
            confidence: components["schemas"]["Histogram"];
            /** Faces */
            faces: number;
            /**
             * Labels
             * @description Faces by their likeliest label.
             */
            labels: {
                [key: string]: number;
            };
            /** @description Milliseconds a picture, the wait for a worker included. */
            latency_ms: components["schemas"]["Histogram"];
            /** Pictures */
            pictures: number;
            /** Uncertain */
            uncertain: number;
            /** Uncertain Share */
            uncertain_share: number | null;
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
         * ModelWithCard
         * @description A model with its card.
         */
        ModelWithCard: {
            /** Architecture */
            architecture: string;
            /**
             * Card
             * @description The model card, in Markdown.
             */
            card: string | null;
            /**
             * Default
             * @description Whether requests that name no model get this one.
             */
            default: boolean;
            /**
             * Explain Methods
             * @description Every method that `explain_method` can name.
             */
            explain_methods: ("contrast" | "cam" | "occlusion")[];
            /**
             * Explains By
             * @description The method of its explanations where none is asked for.
             * @enum {string}
             */
            explains_by: "contrast" | "cam" | "occlusion";
            input: components["schemas"]["ModelInput"];
            /** Labels */
            labels: string[];
            /** License */
            license: string;
            /**
             * Loaded
             * @description Whether it is in memory: true for every model that is served.
             */
            loaded: boolean;
            /** Metrics */
            metrics: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /** Name */
            name: string;
            /**
             * Outputs
             * @description Beside the labels; most models have none.
             */
            outputs: components["schemas"]["FurtherOutputInfo"][];
            /**
             * Providers
             * @description Execution providers in use.
             */
            providers: string[];
            /** Sha256 */
            sha256: string;
            /** Trained On */
            trained_on: string;
            /** Version */
            version: string;
        };
        /**
         * Models
         * @description The models of the service.
         */
        Models: {
            /** Default */
            default: string;
            /**
             * Failures
             * @description What is wrong with each model that is not served, in one sentence.
             */
            failures: {
                [key: string]: string;
            };
            /**
             * Models
             * @description The default first, then the others by name.
             */
            models: components["schemas"]["ModelWithCard"][];
            /**
             * Success
             * @constant
             */
            success: true;
        };
        /**
         * MultimodalResult
         * @description A picture, a voice and a text together.
         */
        MultimodalResult: {
            /**
             * Clarity Score
             * @description The text's score, or null.
             */
            clarity_score?: number | null;
            /**
             * Confidence Score
             * @description Weighted mean of the scores that are there, from 0 to 100.
             */
            confidence_score?: number;
            /** Dominant Emotion */
            dominant_emotion: string | null;
            /**
             * Engagement Score
             * @description 100 × (1 − neutral), or null without emotions.
             */
            engagement_score?: number | null;
            /** Facial */
            facial: components["schemas"]["FacialPart"] | components["schemas"]["FailedPart"] | null;
            /**
             * Fused Emotions
             * @description Face and voice by halves; empty without both.
             */
            fused_emotions: {
                [key: string]: number;
            };
            /**
             * Notice
             * @description What the scores are, and what they must not be used for.
             */
            notice?: string;
            /** Recommendations */
            recommendations: components["schemas"]["Recommendation"][];
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
            text: components["schemas"]["TextPart"] | null;
            voice: components["schemas"]["VoicePart"] | null;
            /**
             * Weights
             * @description The weights of the parts that count; they sum to 1.
             */
            weights: {
                [key: string]: number;
            };
        };
        /**
         * Notice
         * @description What every user of the service has to know, and has to tell.
         */
        Notice: {
            /** Laws */
            laws: components["schemas"]["Law"][];
            /** Purpose */
            purpose: string;
            /**
             * Ruled Out
             * @description Uses that are ruled out.
             */
            ruled_out: string[];
            /**
             * Texts
             * @description For the people whose faces are read, by language.
             */
            texts: {
                [key: string]: string;
            };
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
        /** @enum {string} */
        PracticeLevel: "excellent" | "confident" | "moderate" | "nervous" | "anxious" | "very anxious";
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
         * Probe
         * @description The result of a probe.
         */
        Probe: {
            /**
             * Reason
             * @description Why it is not ok.
             */
            reason?: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "ok" | "unavailable";
        };
        /**
         * ProfileResult
         * @description What the profile says of a session. It describes an appearance and is not for judging anybody.
         */
        ProfileResult: {
            /**
             * Frames
             * @description At most 600 points: the frames with a face, or means by equal spans of time.
             */
            frames: components["schemas"]["PracticePoint"][];
            /** Improvement Areas */
            improvement_areas: components["schemas"]["Improvement"][];
            /**
             * Mean Confidence
             * @description Null without a frame with a face.
             */
            mean_confidence: number | null;
            /**
             * Name
             * @constant
             */
            name: "interview_practice";
            /**
             * Notice
             * @description What this result is, and what it must not be used for.
             */
            notice: string;
            segments: components["schemas"]["Segments"];
            /**
             * Spikes
             * @description The first 1,000.
             */
            spikes: components["schemas"]["Spike"][];
            /** @description Null without a frame with a face. */
            stability: components["schemas"]["Stability"] | null;
        };
        /**
         * Recommendation
         * @description What could be done better.
         */
        Recommendation: {
            code: components["schemas"]["RecommendationCode"];
            /** Message */
            message: string;
        };
        /** @enum {string} */
        RecommendationCode: "send_another_picture" | "face_uncertain" | "voice_uncertain" | "face_and_voice_differ" | "low_confidence" | "low_clarity" | "low_engagement";
        /**
         * ReloadedModels
         * @description The models after a reload.
         */
        ReloadedModels: {
            /**
             * Failures
             * @description What is wrong with each model that is not served, in one sentence.
             */
            failures: {
                [key: string]: string;
            };
            /** Models */
            models: string[];
            /**
             * Success
             * @constant
             */
            success: true;
        };
        /**
         * RequestLimits
         * @description What a request may hold.
         */
        RequestLimits: {
            /**
             * Confidence Threshold
             * @description Confidence below which a prediction is uncertain.
             */
            confidence_threshold: number;
            /** Formats */
            formats: ("jpeg" | "png" | "webp" | "bmp")[];
            /** Max Batch Files */
            max_batch_files: number;
            /** Max Batch Size Mb */
            max_batch_size_mb: number;
            /** Max Faces */
            max_faces: number;
            /** Max File Size Mb */
            max_file_size_mb: number;
            /** Max Image Pixels */
            max_image_pixels: number;
            /**
             * Rate Limit
             * @description Requests a client, or `off`.
             */
            rate_limit: string;
            /** Request Timeout Seconds */
            request_timeout_seconds: number;
        };
        /**
         * Segment
         * @description A part of the session, by the count of its frames with a face. Without such frames, the means are null.
         */
        Segment: {
            /**
             * Dominant
             * @description The label of the most frames.
             */
            dominant: string | null;
            /** Mean Confidence */
            mean_confidence: number | null;
            /** Spikes */
            spikes: number;
        };
        /**
         * Segments
         * @description The first 20 %, the middle 60 % and the last 20 % of the frames with a face.
         */
        Segments: {
            beginning: components["schemas"]["Segment"];
            end: components["schemas"]["Segment"];
            middle: components["schemas"]["Segment"];
        };
        /**
         * SeriesPoint
         * @description A frame of a track, or the mean of its frames in a span of time.
         */
        SeriesPoint: {
            /** Probabilities */
            probabilities: {
                [key: string]: number;
            };
            /** T */
            t: number;
            /** Track */
            track: number;
        };
        /**
         * SessionSummary
         * @description What the frames of a session come to.
         */
        SessionSummary: {
            /** Caveats */
            caveats: components["schemas"]["Caveat"][];
            /**
             * Changes
             * @description Changes of the most probable label; the first 1,000.
             */
            changes: components["schemas"]["Change"][];
            /**
             * Duration
             * @description Seconds from the first frame that was read to the last.
             */
            duration: number;
            frames: components["schemas"]["FrameCounts"];
            /** @description The result of the profile that was asked for. */
            profile: components["schemas"]["ProfileResult"] | null;
            /**
             * Reason
             * @description Why the session ended: `end`, `idle`, `draining`, …
             */
            reason: string;
            /**
             * Series
             * @description At most 600 points: every frame of every track, or means by equal spans of time.
             */
            series: components["schemas"]["SeriesPoint"][];
            /**
             * Success
             * @constant
             */
            success: true;
            /**
             * Tracks
             * @description The faces; of more than 200 those with the most frames.
             */
            tracks: components["schemas"]["TrackSummary"][];
            /**
             * Type
             * @constant
             */
            type: "summary";
        };
        /**
         * Spike
         * @description A sudden drop of the confidence below the mean of the three frames before.
         */
        Spike: {
            /**
             * Magnitude
             * @description The difference from that mean.
             */
            magnitude: number;
            /** T */
            t: number;
        };
        /**
         * Stability
         * @description The confidence over the last 15 frames with a face.
         */
        Stability: {
            /**
             * Consistency
             * @description 1 − min(1, 4 × standard deviation).
             */
            consistency: number;
            /**
             * Trend
             * @description By the slope of a least-squares line: beyond ±0.005 a frame.
             * @enum {string}
             */
            trend: "improving" | "declining" | "steady";
            /** Variance */
            variance: number;
        };
        /**
         * Stats
         * @description Totals of this process since its start. Aggregates only, nothing about anyone.
         */
        Stats: {
            /**
             * Errors
             * @description Errors of requests and of items of a batch, by code.
             */
            errors: {
                [key: string]: number;
            };
            /**
             * Faces
             * @description Faces found in them.
             */
            faces: number;
            /** Models */
            models: {
                [key: string]: components["schemas"]["ModelStats"];
            };
            /**
             * Pictures
             * @description Pictures that got a result.
             */
            pictures: number;
            /**
             * Requests
             * @description Requests by route.
             */
            requests: {
                [key: string]: number;
            };
            /**
             * Success
             * @constant
             */
            success: true;
            /** Uptime Seconds */
            uptime_seconds: number;
            /**
             * Warnings
             * @description Pictures with a warning on their quality, by code.
             */
            warnings: {
                [key: string]: number;
            };
        };
        /**
         * TextPart
         * @description What was sent of the text.
         */
        TextPart: {
            /**
             * Feedback
             * @description As it was sent.
             */
            feedback?: unknown;
            /** Quality Score */
            quality_score: number;
        };
        /**
         * Token
         * @description A token with which a browser opens a stream.
         */
        Token: {
            /**
             * Expires In
             * @description Seconds within which the stream must be opened.
             */
            expires_in: number;
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
             * Token
             * @description Offer it as the subprotocol `visage.key.TOKEN`, beside `visage.v1`.
             */
            token: string;
        };
        /** TrackSummary */
        TrackSummary: {
            /**
             * Action Units
             * @description By number; only where its frames have action units.
             */
            action_units?: {
                [key: string]: components["schemas"]["UnitSummary"];
            };
            /** Frames */
            frames: number;
            /**
             * From
             * @description The time of its first frame, in seconds.
             */
            from: number;
            /**
             * Largest Gap
             * @description Longest time between two of its frames, in seconds.
             */
            largest_gap: number;
            /**
             * Mean Probabilities
             * @description Means over its frames.
             */
            mean_probabilities: {
                [key: string]: number;
            };
            /**
             * Seconds
             * @description Time with this face: a frame counts until the next one, at most 1 s.
             */
            seconds: number;
            /**
             * Share
             * @description Share of that time by the most probable label.
             */
            share: {
                [key: string]: number;
            };
            /**
             * To
             * @description The time of its last frame, in seconds.
             */
            to: number;
            /** Track */
            track: number;
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
        };
        /**
         * UnitInfo
         * @description One action unit that `details=action_units` returns.
         */
        UnitInfo: {
            /**
             * Experimental
             * @description Whether its figures in docs/details.md are weak or missing.
             */
            experimental: boolean;
            /** Name */
            name: string;
            /**
             * Threshold
             * @description The intensity from which it is active.
             */
            threshold: number;
        };
        /**
         * UnitSummary
         * @description One action unit of a track, over the frames in which it was measured.
         */
        UnitSummary: {
            /**
             * Active Share
             * @description Share of these frames in which it is active.
             */
            active_share: number;
            /**
             * Mean Intensity
             * @description From 0 to 1.
             */
            mean_intensity: number;
            /** Name */
            name: string;
        };
        /**
         * VoicePart
         * @description What was sent of the voice.
         */
        VoicePart: {
            /** Confidence */
            confidence?: number;
            /** Emotions */
            emotions: {
                [key: string]: number;
            };
            /**
             * Score
             * @description From 0 to 100: how confident it looks, by the profile's formula.
             */
            score?: number;
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
        /**
         * WarningThreshold
         * @description The limit of a warning, and what it measures.
         */
        WarningThreshold: {
            /** Meaning */
            meaning: string;
            /** Value */
            value: number;
        };
        /**
         * Workers
         * @description The worker threads.
         */
        Workers: {
            /** Alive */
            alive: number;
            /** Count */
            count: number;
            /**
             * Face Detector
             * @constant
             */
            face_detector: "blazeface+yunet";
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: {
        /** @description Where the notice on use is. */
        Link: string;
        /** @description Seconds to wait. */
        "Retry-After": number;
        /** @description Requests that the client may send at once, by the limit that it will reach first. The three headers are absent with `RATE_LIMIT=off`. */
        "X-RateLimit-Limit": number;
        /** @description How many of them are left; on a route that makes no predictions, how many predictions. */
        "X-RateLimit-Remaining": number;
        /** @description When all of them are there again, in seconds since 1970. */
        "X-RateLimit-Reset": number;
        /** @description Finds the request in the service's log. */
        "X-Request-ID": string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    analyze_facial: {
        parameters: {
            query?: {
                /** @description Name of a model of `GET /models`; without it, the default model. */
                model?: string;
                /** @description `one` refuses a picture with several faces, `largest` takes the largest, `all` takes all. */
                faces?: "one" | "largest" | "all";
                /** @description Without a face, `error` returns the error `no_face_detected`; `center` takes the middle of the picture as the face, with a warning. */
                on_no_face?: "error" | "center";
                /** @description What else to return of each face, separated by commas: `action_units`, `blendshapes`, `head_pose`, `mesh`, `emotion_vector`, `description`. */
                details?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "image": "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA4KCw0LCQ4NDA0QDw4RFiQXFhQUFiwgIRokNC43NjMuMjI6QVNGOj1OPjIySGJJTlZYXV5dOEVmbWVabFNbXVn/2wBDAQ8QEBYTFioXFypZOzI7WVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVn/wAARCABwAHADASIAAhEBAxEB/8QAGwAAAQUBAQAAAAAAAAAAAAAABgECAwQFBwD/xAA0EAACAQMDAgMFBgcBAAAAAAABAgMABBEFEiExQRNRYQYicYGRFCMyQlKhYnKxwdHh8FP/xAAZAQADAQEBAAAAAAAAAAAAAAABAgMABQT/xAAdEQEBAQEBAQADAQAAAAAAAAAAARECAxITITFR/9oADAMBAAIRAxEAPwDc6Co8DNS9eKVY80tMWMcVIozShO1O27azEVApzXnbsK8zbVJJAxQ5c6+J7yS1tm2qhwzgZPy9KF6wZNEDOFGWIA9abDcQSsQkqMR5GsKAb3UyCScZ4MnQfKtllUwgCMHjoMf2qf5f8N8r64I4OR6U1uDQ1JNPaSM0DsOeQO/yq5Z60JmCToUc/mHSnnpKHy1y1JnNeHIyORSimAnANPRuaaEGc05cA1tZQBqZG4qFcGn5xSsmD1Fd30drFuc89h514Ghu+ma5vZ03e8GKqPICh11kGRaGoG8co2Tnoo6Csa10sQXkk8xKMxO0jtUkeLNgHzuY4GKs3ESOBiR945Ge1RvWnkX7Z2U7VkRsfpJGafdEyjDQuFPUoRWZblgwDt8cedaPiIQF3Dd8M5pRVPs6orFJDnsCcms4XAE7+K2M8YIyQfStW+mtntyoAjk7MDjNCfhtPcl8qNp5BbFHAGXs5qBa4eymPJyUz+4oiIwa5zazNHqtvdksqq4LkeWRn+9dLGCM9avxdhL/AFGOajfhsVMcDpUTgE0wKUY5qUimjApwNZjcYoU1EpHqsxU4O7JFF+M0F+1dnJBem597wpAMEDgHyNJ6TYblEJWvdZgU8gMAPQCjF9PtbkKxVwR1ZVOKEvZhPtOoBmH4FOP++tFN7aam6Mbe7MXTaoIAx37c1KRSJk0O1lQskmWz1Bqtd+zilQY7gqRzV6wE0cn3rlx2J6moLqSe5uXjiYKq+Yo5BCOs6XewHckqSqD0VufpWGJNkuySMBycgMcUaSSagYNl5DG4Ziu0JggdjmhLX7cw3seR2x9KMk/hKczNLHhDyDmul2EjSadbSPwzRKT9K5tb26z31vbjeTOV6dgetdI5RFReFUYApvMtTA+dRvntSAnvThzVCq+DT1FLtpwosQUs1rFdW7RTIGRhgg08CrCL7vNHAYGn6QmmTl0OVJx8K32uI47cs7YIqC8VDFkYJBFQvbHw/GQCR0HuoxwCah1Pm/pbm6l8QyOGAwT2JrP8ZbfUCHPDYBOelXY4jcR+I1uS2OqMMrWPfQG2mGy2lZ2PALChh/02Lnb4Bbg46Vz/ANofEnvIvDRm57DOTRldrJDZKGIG7sKm0jToRBHcyAmRskA9BzxW5m0nVkZ/s3oTWSrdXgBuSu1V/wDMf5reKZNTEZNN21bMTRGOk24qcDNKErMrFcivKnPSpFGapajeCAPEh+88Pdx25A/ufpT4Rn637Qw6ahAYbugxySfSgi99qr65Y7DsX1OTVLUGm1LU3KhnJfZGo9PKpL6zj02AQybHuc+//Af01rWO07VbyTUrZXmO1pFB4HnXVbeXH3T/AIv61xyzuDFdxSnlUYMQPQ1123ntdSs0ltZ0ZgMgg8j5VH0/qnFWzGVRimOevHNZ8se2XxJDwPWvT31/bKVa28VR3Q4zWRc3tzd8mPwk8j1pKr9L80h1C7jgU4B/YVuooRFRRhVGAKDItXg0e9hefnxMrk9qMbW6gvIRJAwYdx3FV4n61Lq7Ug60prxGDSHkUxSA80pOBTMHrXmasxFXKHJwMc0IXF4Huo/f3JPFsjP8uDn54Nb1xdNNYFISVd0/F5HFAbW1x4jRQhs2+JlLHofIemf60s9Jesil8euefqiHQ9Pgthc3u1WkjU7Aevc8UGavG73DTSNlHY7cHJx60X6VfpIARjaxwyn8rdxT9d0q11KEfZmRLtRkxnjevn8RT4lXPOADtp8cpAGCQafeRLbyNGpzVdOlYF6PU7yAfdXc6fyyEU99e1J02m5YjzIGfrVA9KZQyDpZZpJnLSuzt5sc1tez2uz6XcojOfCzjn8v+qwqtRQGeHI/GDgf4/r9KYHabC7jv7cSx8N+Zc9DVsKK5v7I6tJbsFcn7vhh5p/qujBwwDKcg8g0DFbAFV3GanPNMfhSfIVsBhu3BFYl5GYbhbiJSxU5ZP1L3Fayv4q7T+IcGqs/vRHIJZT28x/mubLl2O38yy80OO8Vveu8G4rOQ4DHA2+Q8yDmti1uEEkMkuGA4SQ9CP0msrULUzWiO6MhVizhOSuevHyBxWel3PZOUba8b9dw4YD/AL417+O/qa5fp5Xi5TfaK0uEuRJJGiowypTkHnn6VkRqQM0RG/imiETfeQ5yI2OGU/wnvWvpWj6Heh3Nyyzk+7EQFK/Ed/lToZgGfI61H1ou1L2cuJbkwRXETqDhTg9fWoLj2Vu7RFEsG8k4BjbOflRKGApZgo6k4FEFtpqxEIkviO69V6BhyP3FUb3TXtLiLxIJkQkBg6kUT28cKqrqgjjjHTPTzJNYVSztdk8dwgwrBlYeu3I/Yj6UbaHfJNYRRs+JEG3B74PFCMV2g03PZpGcHyXAUfsKt6Yx+yhjkbjuAqfp1886v4+f3cHGaUjK81k2F7tRUmJI6BvL41rEgjrTcdzqbCenn1xcr//Z"
                 *     }
                 */
                "application/json": {
                    /** @description A JPEG, PNG, WebP or BMP picture as base64 or as a data URL. */
                    image: string;
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    Link: components["headers"]["Link"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "confidence": 0.9988,
                     *       "dominant_emotion": "happy",
                     *       "emotions": {
                     *         "angry": 0.0002,
                     *         "disgust": 0.0001,
                     *         "fear": 0.0001,
                     *         "happy": 0.9988,
                     *         "neutral": 0.0004,
                     *         "sad": 0.0001,
                     *         "surprise": 0.0003
                     *       },
                     *       "face_box": [
                     *         36,
                     *         32,
                     *         44,
                     *         44
                     *       ],
                     *       "face_detected": true,
                     *       "faces": [
                     *         {
                     *           "confidence": 0.9988,
                     *           "emotion": "happy",
                     *           "face": {
                     *             "box": {
                     *               "height": 44,
                     *               "width": 44,
                     *               "x": 36,
                     *               "y": 32
                     *             },
                     *             "landmarks": {
                     *               "left_ear": [
                     *                 76,
                     *                 49
                     *               ],
                     *               "left_eye": [
                     *                 65,
                     *                 44
                     *               ],
                     *               "mouth_center": [
                     *                 55,
                     *                 63
                     *               ],
                     *               "nose_tip": [
                     *                 55,
                     *                 54
                     *               ],
                     *               "right_ear": [
                     *                 37,
                     *                 47
                     *               ],
                     *               "right_eye": [
                     *                 47,
                     *                 43
                     *               ]
                     *             },
                     *             "score": 0.8737
                     *           },
                     *           "is_uncertain": false,
                     *           "probabilities": {
                     *             "angry": 0.0002,
                     *             "disgust": 0.0001,
                     *             "fear": 0.0001,
                     *             "happy": 0.9988,
                     *             "neutral": 0.0004,
                     *             "sad": 0.0001,
                     *             "surprise": 0.0003
                     *           },
                     *           "warnings": [
                     *             {
                     *               "code": "face_too_small",
                     *               "message": "The face is small. Move closer, or send the picture in its full size."
                     *             }
                     *           ]
                     *         }
                     *       ],
                     *       "faces_detected": 1,
                     *       "image": {
                     *         "format": "jpeg",
                     *         "height": 112,
                     *         "width": 112
                     *       },
                     *       "is_uncertain": false,
                     *       "model": {
                     *         "name": "default",
                     *         "version": "0.6.0"
                     *       },
                     *       "request_id": "4f7c2d9e8b1a4c6f9d3e5a7b8c0d1e2f",
                     *       "success": true,
                     *       "warnings": [
                     *         {
                     *           "code": "face_too_small",
                     *           "message": "The face is small. Move closer, or send the picture in its full size."
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["AnalysisResult"];
                };
            };
            /** @description `empty_file`, `invalid_image` */
            400: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `model_not_found` */
            404: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `file_too_large`, `image_too_large` */
            413: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unsupported_media_type` */
            415: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request`, `image_too_small`, `no_face_detected`, `multiple_faces` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout`, `overloaded`, `details_unavailable` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    analyze_multimodal: {
        parameters: {
            query?: {
                /** @description Name of a model of `GET /models`; without it, the default model. */
                model?: string;
                /** @description `one` refuses a picture with several faces, `largest` takes the largest. */
                faces?: "one" | "largest";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "image": "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA4KCw0LCQ4NDA0QDw4RFiQXFhQUFiwgIRokNC43NjMuMjI6QVNGOj1OPjIySGJJTlZYXV5dOEVmbWVabFNbXVn/2wBDAQ8QEBYTFioXFypZOzI7WVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVn/wAARCABwAHADASIAAhEBAxEB/8QAGwAAAQUBAQAAAAAAAAAAAAAABgECAwQFBwD/xAA0EAACAQMDAgMFBgcBAAAAAAABAgMABBEFEiExQRNRYQYicYGRFCMyQlKhYnKxwdHh8FP/xAAZAQADAQEBAAAAAAAAAAAAAAABAgMABQT/xAAdEQEBAQEBAQADAQAAAAAAAAAAARECAxITITFR/9oADAMBAAIRAxEAPwDc6Co8DNS9eKVY80tMWMcVIozShO1O27azEVApzXnbsK8zbVJJAxQ5c6+J7yS1tm2qhwzgZPy9KF6wZNEDOFGWIA9abDcQSsQkqMR5GsKAb3UyCScZ4MnQfKtllUwgCMHjoMf2qf5f8N8r64I4OR6U1uDQ1JNPaSM0DsOeQO/yq5Z60JmCToUc/mHSnnpKHy1y1JnNeHIyORSimAnANPRuaaEGc05cA1tZQBqZG4qFcGn5xSsmD1Fd30drFuc89h514Ghu+ma5vZ03e8GKqPICh11kGRaGoG8co2Tnoo6Csa10sQXkk8xKMxO0jtUkeLNgHzuY4GKs3ESOBiR945Ge1RvWnkX7Z2U7VkRsfpJGafdEyjDQuFPUoRWZblgwDt8cedaPiIQF3Dd8M5pRVPs6orFJDnsCcms4XAE7+K2M8YIyQfStW+mtntyoAjk7MDjNCfhtPcl8qNp5BbFHAGXs5qBa4eymPJyUz+4oiIwa5zazNHqtvdksqq4LkeWRn+9dLGCM9avxdhL/AFGOajfhsVMcDpUTgE0wKUY5qUimjApwNZjcYoU1EpHqsxU4O7JFF+M0F+1dnJBem597wpAMEDgHyNJ6TYblEJWvdZgU8gMAPQCjF9PtbkKxVwR1ZVOKEvZhPtOoBmH4FOP++tFN7aam6Mbe7MXTaoIAx37c1KRSJk0O1lQskmWz1Bqtd+zilQY7gqRzV6wE0cn3rlx2J6moLqSe5uXjiYKq+Yo5BCOs6XewHckqSqD0VufpWGJNkuySMBycgMcUaSSagYNl5DG4Ziu0JggdjmhLX7cw3seR2x9KMk/hKczNLHhDyDmul2EjSadbSPwzRKT9K5tb26z31vbjeTOV6dgetdI5RFReFUYApvMtTA+dRvntSAnvThzVCq+DT1FLtpwosQUs1rFdW7RTIGRhgg08CrCL7vNHAYGn6QmmTl0OVJx8K32uI47cs7YIqC8VDFkYJBFQvbHw/GQCR0HuoxwCah1Pm/pbm6l8QyOGAwT2JrP8ZbfUCHPDYBOelXY4jcR+I1uS2OqMMrWPfQG2mGy2lZ2PALChh/02Lnb4Bbg46Vz/ANofEnvIvDRm57DOTRldrJDZKGIG7sKm0jToRBHcyAmRskA9BzxW5m0nVkZ/s3oTWSrdXgBuSu1V/wDMf5reKZNTEZNN21bMTRGOk24qcDNKErMrFcivKnPSpFGapajeCAPEh+88Pdx25A/ufpT4Rn637Qw6ahAYbugxySfSgi99qr65Y7DsX1OTVLUGm1LU3KhnJfZGo9PKpL6zj02AQybHuc+//Af01rWO07VbyTUrZXmO1pFB4HnXVbeXH3T/AIv61xyzuDFdxSnlUYMQPQ1123ntdSs0ltZ0ZgMgg8j5VH0/qnFWzGVRimOevHNZ8se2XxJDwPWvT31/bKVa28VR3Q4zWRc3tzd8mPwk8j1pKr9L80h1C7jgU4B/YVuooRFRRhVGAKDItXg0e9hefnxMrk9qMbW6gvIRJAwYdx3FV4n61Lq7Ug60prxGDSHkUxSA80pOBTMHrXmasxFXKHJwMc0IXF4Huo/f3JPFsjP8uDn54Nb1xdNNYFISVd0/F5HFAbW1x4jRQhs2+JlLHofIemf60s9Jesil8euefqiHQ9Pgthc3u1WkjU7Aevc8UGavG73DTSNlHY7cHJx60X6VfpIARjaxwyn8rdxT9d0q11KEfZmRLtRkxnjevn8RT4lXPOADtp8cpAGCQafeRLbyNGpzVdOlYF6PU7yAfdXc6fyyEU99e1J02m5YjzIGfrVA9KZQyDpZZpJnLSuzt5sc1tez2uz6XcojOfCzjn8v+qwqtRQGeHI/GDgf4/r9KYHabC7jv7cSx8N+Zc9DVsKK5v7I6tJbsFcn7vhh5p/qujBwwDKcg8g0DFbAFV3GanPNMfhSfIVsBhu3BFYl5GYbhbiJSxU5ZP1L3Fayv4q7T+IcGqs/vRHIJZT28x/mubLl2O38yy80OO8Vveu8G4rOQ4DHA2+Q8yDmti1uEEkMkuGA4SQ9CP0msrULUzWiO6MhVizhOSuevHyBxWel3PZOUba8b9dw4YD/AL417+O/qa5fp5Xi5TfaK0uEuRJJGiowypTkHnn6VkRqQM0RG/imiETfeQ5yI2OGU/wnvWvpWj6Heh3Nyyzk+7EQFK/Ed/lToZgGfI61H1ou1L2cuJbkwRXETqDhTg9fWoLj2Vu7RFEsG8k4BjbOflRKGApZgo6k4FEFtpqxEIkviO69V6BhyP3FUb3TXtLiLxIJkQkBg6kUT28cKqrqgjjjHTPTzJNYVSztdk8dwgwrBlYeu3I/Yj6UbaHfJNYRRs+JEG3B74PFCMV2g03PZpGcHyXAUfsKt6Yx+yhjkbjuAqfp1886v4+f3cHGaUjK81k2F7tRUmJI6BvL41rEgjrTcdzqbCenn1xcr//Z",
                 *       "text": {
                 *         "feedback": "Clear and short.",
                 *         "quality_score": 80
                 *       },
                 *       "voice": {
                 *         "confidence": 0.8,
                 *         "emotions": {
                 *           "happy": 0.6,
                 *           "neutral": 0.3,
                 *           "sad": 0.1
                 *         }
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @description A JPEG, PNG, WebP or BMP picture as base64 or as a data URL. */
                    image?: string;
                    /** @description The result of a text service. */
                    text?: {
                        /** @description Any JSON. It comes back with the result. */
                        feedback?: unknown;
                        quality_score: number;
                    };
                    /** @description The result of a voice service. */
                    voice?: {
                        confidence?: number | null;
                        /** @description Numbers by label, not all of them 0. */
                        emotions: {
                            [key: string]: number;
                        };
                    };
                };
                "multipart/form-data": {
                    /**
                     * Format: binary
                     * @description The picture as a file, or as base64 or a data URL.
                     */
                    image?: string;
                    /**
                     * @description The result of a text service.
                     * @example {
                     *       "feedback": "Clear and short.",
                     *       "quality_score": 80
                     *     }
                     */
                    text?: {
                        /** @description Any JSON. It comes back with the result. */
                        feedback?: unknown;
                        quality_score: number;
                    };
                    /**
                     * @description The result of a voice service.
                     * @example {
                     *       "confidence": 0.8,
                     *       "emotions": {
                     *         "happy": 0.6,
                     *         "neutral": 0.3,
                     *         "sad": 0.1
                     *       }
                     *     }
                     */
                    voice?: {
                        confidence?: number | null;
                        /** @description Numbers by label, not all of them 0. */
                        emotions: {
                            [key: string]: number;
                        };
                    };
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    Link: components["headers"]["Link"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "clarity_score": 80,
                     *       "confidence_score": 93.5,
                     *       "dominant_emotion": "happy",
                     *       "engagement_score": 85,
                     *       "facial": {
                     *         "emotions": {
                     *           "angry": 0.0002,
                     *           "disgust": 0.0001,
                     *           "fear": 0.0001,
                     *           "happy": 0.9988,
                     *           "neutral": 0.0004,
                     *           "sad": 0.0001,
                     *           "surprise": 0.0003
                     *         },
                     *         "is_uncertain": false,
                     *         "score": 99.9
                     *       },
                     *       "fused_emotions": {
                     *         "angry": 0.0001,
                     *         "disgust": 0.0001,
                     *         "fear": 0.0001,
                     *         "happy": 0.7994,
                     *         "neutral": 0.1502,
                     *         "sad": 0.0501,
                     *         "surprise": 0.0001
                     *       },
                     *       "notice": "This describes how a face looks in your own recording, by a formula, for your own practice. It does not say what you feel or how able you are. Do not use it to judge anybody: at work, in hiring and in education the EU AI Act forbids inferring emotions.",
                     *       "recommendations": [],
                     *       "request_id": "4f7c2d9e8b1a4c6f9d3e5a7b8c0d1e2f",
                     *       "success": true,
                     *       "text": {
                     *         "feedback": "Clear and short.",
                     *         "quality_score": 80
                     *       },
                     *       "voice": {
                     *         "confidence": 0.8,
                     *         "emotions": {
                     *           "happy": 0.6,
                     *           "neutral": 0.3,
                     *           "sad": 0.1
                     *         },
                     *         "score": 88.7
                     *       },
                     *       "weights": {
                     *         "facial": 0.5,
                     *         "text": 0.1,
                     *         "voice": 0.4
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["MultimodalResult"];
                };
            };
            /** @description `empty_file`, `invalid_image` */
            400: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `model_not_found` */
            404: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `file_too_large`, `image_too_large` */
            413: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unsupported_media_type` */
            415: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request`, `image_too_small`, `no_face_detected`, `multiple_faces` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout`, `overloaded` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    analyze_session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "frames": [
                 *         {
                 *           "action_units": {
                 *             "AU12": 0.72,
                 *             "AU6": 0.55
                 *           },
                 *           "face_detected": true,
                 *           "probabilities": {
                 *             "happy": 0.8,
                 *             "neutral": 0.2
                 *           },
                 *           "t": 0
                 *         },
                 *         {
                 *           "action_units": {
                 *             "AU12": 0.2,
                 *             "AU6": 0.1
                 *           },
                 *           "face_detected": true,
                 *           "probabilities": {
                 *             "happy": 0.3,
                 *             "neutral": 0.7
                 *           },
                 *           "t": 0.5
                 *         },
                 *         {
                 *           "face_detected": false,
                 *           "t": 1
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    frames: {
                        /** @description Intensities by number, for the means of the summary. */
                        action_units?: {
                            [key: string]: number;
                        } | null;
                        /** @description Not used. */
                        face_box?: number[] | null;
                        /** @description With false, the frame is one without a face. */
                        face_detected?: boolean | null;
                        /** @description By label, the same labels in every frame; null without a face. */
                        probabilities?: {
                            [key: string]: number;
                        } | null;
                        /** @description Seconds; not less than the frame before. */
                        t: number;
                        /** @description Codes of the prediction's warnings. */
                        warnings?: components["schemas"]["WarningCode"][] | null;
                    }[];
                    /**
                     * @description One of `SESSION_PROFILES`, or null.
                     * @enum {unknown}
                     */
                    profile?: null | "interview_practice";
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    Link: components["headers"]["Link"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "caveats": [
                     *         {
                     *           "code": "few_frames",
                     *           "message": "Only 3 frames were read. Shares and means of so few say little."
                     *         },
                     *         {
                     *           "code": "face_missing",
                     *           "message": "33 % of the frames show no face."
                     *         }
                     *       ],
                     *       "changes": [
                     *         {
                     *           "from": "happy",
                     *           "t": 0.5,
                     *           "to": "neutral",
                     *           "track": 1
                     *         }
                     *       ],
                     *       "duration": 1,
                     *       "frames": {
                     *         "failed": 0,
                     *         "read": 3,
                     *         "received": 3,
                     *         "skipped": {},
                     *         "without_face": 1
                     *       },
                     *       "profile": null,
                     *       "reason": "end",
                     *       "series": [
                     *         {
                     *           "probabilities": {
                     *             "happy": 0.8,
                     *             "neutral": 0.2
                     *           },
                     *           "t": 0,
                     *           "track": 1
                     *         },
                     *         {
                     *           "probabilities": {
                     *             "happy": 0.3,
                     *             "neutral": 0.7
                     *           },
                     *           "t": 0.5,
                     *           "track": 1
                     *         }
                     *       ],
                     *       "success": true,
                     *       "tracks": [
                     *         {
                     *           "action_units": {
                     *             "AU12": {
                     *               "active_share": 0.5,
                     *               "mean_intensity": 0.46,
                     *               "name": "lip corner puller"
                     *             },
                     *             "AU6": {
                     *               "active_share": 0.5,
                     *               "mean_intensity": 0.325,
                     *               "name": "cheek raiser"
                     *             }
                     *           },
                     *           "frames": 2,
                     *           "from": 0,
                     *           "largest_gap": 0.5,
                     *           "mean_probabilities": {
                     *             "happy": 0.55,
                     *             "neutral": 0.45
                     *           },
                     *           "seconds": 1,
                     *           "share": {
                     *             "happy": 0.5,
                     *             "neutral": 0.5
                     *           },
                     *           "to": 0.5,
                     *           "track": 1,
                     *           "uncertain_share": 0,
                     *           "warnings": {}
                     *         }
                     *       ],
                     *       "type": "summary"
                     *     }
                     */
                    "application/json": components["schemas"]["SessionSummary"];
                    /**
                     * @example t,track,emotion,confidence,is_uncertain,p_happy,p_neutral,warnings
                     *     0.0,1,happy,0.8,false,0.8,0.2,
                     */
                    "text/csv": string;
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `file_too_large` */
            413: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unsupported_media_type` */
            415: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout`, `overloaded` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "details": "not_loaded",
                     *       "is_cold_start": false,
                     *       "model_loaded": true,
                     *       "rate_limit_storage": "memory",
                     *       "status": "ok",
                     *       "uptime_seconds": 73.2
                     *     }
                     */
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description Not at this moment; `reason` says why. */
            503: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    live: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "ok"
                     *     }
                     */
                    "application/json": components["schemas"]["Probe"];
                };
            };
            /** @description Not at this moment; `reason` says why. */
            503: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Probe"];
                };
            };
        };
    };
    ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "status": "ok"
                     *     }
                     */
                    "application/json": components["schemas"]["Probe"];
                };
            };
            /** @description Not at this moment; `reason` says why. */
            503: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Probe"];
                };
            };
        };
    };
    info: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "default_model": "default",
                     *       "details": {
                     *         "action_units": {
                     *           "AU1": {
                     *             "experimental": false,
                     *             "name": "inner brow raiser",
                     *             "threshold": 0.386
                     *           },
                     *           "AU10": {
                     *             "experimental": false,
                     *             "name": "upper lip raiser",
                     *             "threshold": 0.305
                     *           },
                     *           "AU12": {
                     *             "experimental": false,
                     *             "name": "lip corner puller",
                     *             "threshold": 0.296
                     *           },
                     *           "AU14": {
                     *             "experimental": true,
                     *             "name": "dimpler",
                     *             "threshold": 0.278
                     *           },
                     *           "AU15": {
                     *             "experimental": false,
                     *             "name": "lip corner depressor",
                     *             "threshold": 0.46
                     *           },
                     *           "AU16": {
                     *             "experimental": true,
                     *             "name": "lower lip depressor",
                     *             "threshold": 0.462
                     *           },
                     *           "AU17": {
                     *             "experimental": false,
                     *             "name": "chin raiser",
                     *             "threshold": 0.398
                     *           },
                     *           "AU18": {
                     *             "experimental": true,
                     *             "name": "lip pucker",
                     *             "threshold": 0.511
                     *           },
                     *           "AU2": {
                     *             "experimental": false,
                     *             "name": "outer brow raiser",
                     *             "threshold": 0.355
                     *           },
                     *           "AU20": {
                     *             "experimental": false,
                     *             "name": "lip stretcher",
                     *             "threshold": 0.31
                     *           },
                     *           "AU22": {
                     *             "experimental": true,
                     *             "name": "lip funneler",
                     *             "threshold": 0.162
                     *           },
                     *           "AU23": {
                     *             "experimental": true,
                     *             "name": "lip tightener",
                     *             "threshold": 0.655
                     *           },
                     *           "AU24": {
                     *             "experimental": true,
                     *             "name": "lip pressor",
                     *             "threshold": 0.617
                     *           },
                     *           "AU25": {
                     *             "experimental": false,
                     *             "name": "lips part",
                     *             "threshold": 0.312
                     *           },
                     *           "AU26": {
                     *             "experimental": false,
                     *             "name": "jaw drop",
                     *             "threshold": 0.306
                     *           },
                     *           "AU27": {
                     *             "experimental": false,
                     *             "name": "mouth stretch",
                     *             "threshold": 0.6
                     *           },
                     *           "AU28": {
                     *             "experimental": true,
                     *             "name": "lip suck",
                     *             "threshold": 0.62
                     *           },
                     *           "AU4": {
                     *             "experimental": false,
                     *             "name": "brow lowerer",
                     *             "threshold": 0.316
                     *           },
                     *           "AU43": {
                     *             "experimental": true,
                     *             "name": "eyes closed",
                     *             "threshold": 0.6
                     *           },
                     *           "AU5": {
                     *             "experimental": false,
                     *             "name": "upper lid raiser",
                     *             "threshold": 0.31
                     *           },
                     *           "AU6": {
                     *             "experimental": false,
                     *             "name": "cheek raiser",
                     *             "threshold": 0.281
                     *           },
                     *           "AU7": {
                     *             "experimental": false,
                     *             "name": "lid tightener",
                     *             "threshold": 0.393
                     *           },
                     *           "AU9": {
                     *             "experimental": true,
                     *             "name": "nose wrinkler",
                     *             "threshold": 0.328
                     *           }
                     *         },
                     *         "method": "Weighted points of the face mesh, turned to the front, and blendshapes. The weights were fitted to tell expressions from neutral faces by one part of the face alone, not to labels of action units. A unit is active where it goes further than on 95 % of neutral photos.",
                     *         "names": [
                     *           "action_units",
                     *           "blendshapes",
                     *           "head_pose",
                     *           "mesh",
                     *           "emotion_vector",
                     *           "description"
                     *         ],
                     *         "state": "loaded"
                     *       },
                     *       "failures": {},
                     *       "labels": [
                     *         {
                     *           "color": "#d03025",
                     *           "emoji": "😠",
                     *           "name": "angry"
                     *         },
                     *         {
                     *           "color": "#507a15",
                     *           "emoji": "🤢",
                     *           "name": "disgust"
                     *         },
                     *         {
                     *           "color": "#934ec4",
                     *           "emoji": "😨",
                     *           "name": "fear"
                     *         },
                     *         {
                     *           "color": "#916604",
                     *           "emoji": "😄",
                     *           "name": "happy"
                     *         },
                     *         {
                     *           "color": "#256ccf",
                     *           "emoji": "😢",
                     *           "name": "sad"
                     *         },
                     *         {
                     *           "color": "#0b7a84",
                     *           "emoji": "😮",
                     *           "name": "surprise"
                     *         },
                     *         {
                     *           "color": "#676f78",
                     *           "emoji": "😐",
                     *           "name": "neutral"
                     *         }
                     *       ],
                     *       "levels": [
                     *         {
                     *           "color": "#cc352a",
                     *           "emoji": "🤔",
                     *           "from": 0,
                     *           "name": "uncertain"
                     *         },
                     *         {
                     *           "color": "#9a6200",
                     *           "emoji": "👍",
                     *           "from": 0.6,
                     *           "name": "fair"
                     *         },
                     *         {
                     *           "color": "#0e7e4f",
                     *           "emoji": "✅",
                     *           "from": 0.8,
                     *           "name": "sure"
                     *         }
                     *       ],
                     *       "limits": {
                     *         "confidence_threshold": 0.6,
                     *         "formats": [
                     *           "jpeg",
                     *           "png",
                     *           "webp",
                     *           "bmp"
                     *         ],
                     *         "max_batch_files": 32,
                     *         "max_batch_size_mb": 64,
                     *         "max_faces": 50,
                     *         "max_file_size_mb": 5,
                     *         "max_image_pixels": 50000000,
                     *         "rate_limit": "600/minute",
                     *         "request_timeout_seconds": 30
                     *       },
                     *       "models": [
                     *         {
                     *           "architecture": "facenet, widths 32-64-128-256, blocks 0-2-2-2, 2.8 M parameters",
                     *           "default": true,
                     *           "explain_methods": [
                     *             "contrast",
                     *             "cam",
                     *             "occlusion"
                     *           ],
                     *           "explains_by": "contrast",
                     *           "input": {
                     *             "channels": "gray",
                     *             "height": 48,
                     *             "width": 48
                     *           },
                     *           "labels": [
                     *             "angry",
                     *             "disgust",
                     *             "fear",
                     *             "happy",
                     *             "sad",
                     *             "surprise",
                     *             "neutral"
                     *           ],
                     *           "license": "MIT",
                     *           "loaded": true,
                     *           "metrics": {
                     *             "ferplus7_plurality_accuracy": 0.8454,
                     *             "split": "test"
                     *           },
                     *           "name": "default",
                     *           "outputs": [],
                     *           "providers": [
                     *             "cpu"
                     *           ],
                     *           "sha256": "e2cb17624e72779d94911bf6d6a7a06d08b4c06a497e1a871c54b38403aee244",
                     *           "trained_on": "FER-2013 with the votes of FER+, and labelled photos (muxspace/facial_expressions)",
                     *           "version": "0.6.0"
                     *         }
                     *       ],
                     *       "notice": {
                     *         "laws": [
                     *           {
                     *             "article": "Article 5(1)(f)",
                     *             "date": "2025-02-02",
                     *             "name": "Regulation (EU) 2024/1689 (AI Act)",
                     *             "says": "In the European Union, inferring emotions of people at work and in education is prohibited, except for medical or safety reasons."
                     *           },
                     *           {
                     *             "article": "Article 50(3)",
                     *             "date": "2026-08-02",
                     *             "name": "Regulation (EU) 2024/1689 (AI Act)",
                     *             "says": "People who are exposed to an emotion recognition system must be told that it operates."
                     *           }
                     *         ],
                     *         "purpose": "Visage reads the apparent expression of a face: what a picture shows, not what somebody feels.",
                     *         "ruled_out": [
                     *           "decisions about a person in hiring, policing, border control, medicine, insurance or schooling",
                     *           "inferring emotions of people at work and in education",
                     *           "telling who a person is, or whether a person lies"
                     *         ],
                     *         "texts": {
                     *           "de": "Dieses Bild wird von einer Software ausgewertet, die den sichtbaren Gesichtsausdruck schätzt. Was jemand fühlt, lässt sich daraus nicht sicher ablesen. Kein Bild wird gespeichert.",
                     *           "en": "This picture is read by software that estimates the apparent expression of faces. It says nothing certain about what anybody feels. No picture is kept.",
                     *           "es": "Esta imagen la analiza un programa que estima la expresión aparente de los rostros. El análisis no dice nada seguro sobre lo que siente una persona. No se guarda ninguna imagen.",
                     *           "fr": "Cette image est analysée par un logiciel qui estime l’expression apparente des visages. L’analyse ne dit rien de certain sur ce que ressent une personne. Aucune image n’est conservée."
                     *         }
                     *       },
                     *       "providers": [
                     *         "cpu"
                     *       ],
                     *       "quality_thresholds": {
                     *         "at_edge": {
                     *           "meaning": "share of the face's width that lies beyond the picture's edge, above",
                     *           "value": 0.2
                     *         },
                     *         "blurred": {
                     *           "meaning": "fine detail of the face as a share of its contrast, below",
                     *           "value": 0.056
                     *         },
                     *         "face_assumed": {
                     *           "meaning": "no face was found and the middle of the picture was used instead",
                     *           "value": 1
                     *         },
                     *         "face_too_small": {
                     *           "meaning": "width of the face in pixels of the picture, below",
                     *           "value": 48
                     *         },
                     *         "mesh_unsure": {
                     *           "meaning": "details were asked for, but the face shows too little for a mesh",
                     *           "value": 1
                     *         },
                     *         "multiple_faces": {
                     *           "meaning": "faces in the picture, above",
                     *           "value": 1
                     *         },
                     *         "too_bright": {
                     *           "meaning": "brightness (0 to 255) that three quarters of the face exceed, above",
                     *           "value": 200
                     *         },
                     *         "too_dark": {
                     *           "meaning": "brightness (0 to 255) that a twentieth of the face exceeds, below",
                     *           "value": 80
                     *         },
                     *         "turned_away": {
                     *           "meaning": "nose beside the middle of the eyes, in eye distances, above",
                     *           "value": 0.26
                     *         }
                     *       },
                     *       "service": "visage",
                     *       "session_profiles": [],
                     *       "success": true,
                     *       "version": "0.1.0",
                     *       "workers": {
                     *         "alive": 2,
                     *         "count": 2,
                     *         "face_detector": "blazeface+yunet"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Info"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    labels: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "labels": [
                     *         "angry",
                     *         "disgust",
                     *         "fear",
                     *         "happy",
                     *         "sad",
                     *         "surprise",
                     *         "neutral"
                     *       ],
                     *       "levels": {
                     *         "fair": 0.6,
                     *         "sure": 0.8,
                     *         "uncertain": 0
                     *       },
                     *       "limits": {
                     *         "max_batch_files": 32,
                     *         "max_batch_size_mb": 64,
                     *         "max_file_size_mb": 5,
                     *         "max_image_pixels": 50000000,
                     *         "rate_limit": "600/minute"
                     *       },
                     *       "success": true,
                     *       "thresholds": {
                     *         "confidence": 0.6,
                     *         "detection": 0.5
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Labels"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All series in Prometheus' text format. */
            200: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /** @example visage_ready 1.0 */
                    "text/plain": string;
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    models: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "default": "default",
                     *       "failures": {},
                     *       "models": [
                     *         {
                     *           "architecture": "facenet, widths 32-64-128-256, blocks 0-2-2-2, 2.8 M parameters",
                     *           "card": "# default\n\nWhat it is, what data it learned from, and where it fails.",
                     *           "default": true,
                     *           "explain_methods": [
                     *             "contrast",
                     *             "cam",
                     *             "occlusion"
                     *           ],
                     *           "explains_by": "contrast",
                     *           "input": {
                     *             "channels": "gray",
                     *             "height": 48,
                     *             "width": 48
                     *           },
                     *           "labels": [
                     *             "angry",
                     *             "disgust",
                     *             "fear",
                     *             "happy",
                     *             "sad",
                     *             "surprise",
                     *             "neutral"
                     *           ],
                     *           "license": "MIT",
                     *           "loaded": true,
                     *           "metrics": {
                     *             "ferplus7_plurality_accuracy": 0.8454,
                     *             "split": "test"
                     *           },
                     *           "name": "default",
                     *           "outputs": [],
                     *           "providers": [
                     *             "cpu"
                     *           ],
                     *           "sha256": "e2cb17624e72779d94911bf6d6a7a06d08b4c06a497e1a871c54b38403aee244",
                     *           "trained_on": "FER-2013 with the votes of FER+, and labelled photos (muxspace/facial_expressions)",
                     *           "version": "0.6.0"
                     *         }
                     *       ],
                     *       "success": true
                     *     }
                     */
                    "application/json": components["schemas"]["Models"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    reload_models: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "failures": {},
                     *       "models": [
                     *         "default"
                     *       ],
                     *       "success": true
                     *     }
                     */
                    "application/json": components["schemas"]["ReloadedModels"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `forbidden` */
            403: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_found` */
            404: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `model_rejected` */
            409: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `overloaded`, `not_ready`, `timeout` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    predict: {
        parameters: {
            query?: {
                /** @description Name of a model of `GET /models`; without it, the default model. */
                model?: string;
                /** @description `one` refuses a picture with several faces, `largest` takes the largest, `all` takes all. The default is `one`, or `all` where `ENABLE_MULTIPLE_FACES` is set. */
                faces?: "one" | "largest" | "all";
                /** @description Without a face, `error` returns the error `no_face_detected`; `center` takes the middle of the picture as the face, with a warning. */
                on_no_face?: "error" | "center";
                /** @description `true` adds a heatmap over each face's crop as a PNG, `grid` adds it as numbers. */
                explain?: "false" | "true" | "grid";
                /** @description Label to explain instead of the most probable one. */
                explain_label?: string;
                /** @description How: one of the model's `explain_methods` in `GET /models`. Without it, the first of them. `occlusion` takes 64 inferences a face, and at most 8 faces a picture. */
                explain_method?: "contrast" | "cam" | "occlusion";
                /** @description What else to return of each face, separated by commas: `action_units`, `blendshapes`, `head_pose`, `mesh`, `emotion_vector`, `description`. */
                details?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": {
                    /**
                     * Format: binary
                     * @description A JPEG, PNG, WebP or BMP picture.
                     */
                    file: string;
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    Link: components["headers"]["Link"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PredictionResult"];
                };
            };
            /** @description `empty_file`, `invalid_image` */
            400: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `model_not_found` */
            404: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `file_too_large`, `image_too_large` */
            413: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unsupported_media_type` */
            415: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request`, `image_too_small`, `no_face_detected`, `multiple_faces` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout`, `overloaded`, `details_unavailable` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    predict_batch: {
        parameters: {
            query?: {
                /** @description Name of a model of `GET /models`; without it, the default model. */
                model?: string;
                /** @description `one` refuses a picture with several faces, `largest` takes the largest, `all` takes all. The default is `one`, or `all` where `ENABLE_MULTIPLE_FACES` is set. */
                faces?: "one" | "largest" | "all";
                /** @description Without a face, `error` returns the error `no_face_detected`; `center` takes the middle of the picture as the face, with a warning. */
                on_no_face?: "error" | "center";
                /** @description `true` adds a heatmap over each face's crop as a PNG, `grid` adds it as numbers. */
                explain?: "false" | "true" | "grid";
                /** @description Label to explain instead of the most probable one. */
                explain_label?: string;
                /** @description How: one of the model's `explain_methods` in `GET /models`. Without it, the first of them. `occlusion` takes 64 inferences a face, and at most 8 faces a picture. */
                explain_method?: "contrast" | "cam" | "occlusion";
                /** @description What else to return of each face, separated by commas: `action_units`, `blendshapes`, `head_pose`, `mesh`, `emotion_vector`, `description`. */
                details?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": {
                    files: string[];
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    Link: components["headers"]["Link"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "model": {
                     *         "name": "default",
                     *         "version": "0.6.0"
                     *       },
                     *       "request_id": "4f7c2d9e8b1a4c6f9d3e5a7b8c0d1e2f",
                     *       "results": [
                     *         {
                     *           "confidence": 0.9999,
                     *           "emotion": "happy",
                     *           "face": {
                     *             "box": {
                     *               "height": 95,
                     *               "width": 95,
                     *               "x": 177,
                     *               "y": 83
                     *             },
                     *             "landmarks": {
                     *               "left_ear": [
                     *                 271,
                     *                 124
                     *               ],
                     *               "left_eye": [
                     *                 246,
                     *                 110
                     *               ],
                     *               "mouth_center": [
                     *                 219,
                     *                 149
                     *               ],
                     *               "nose_tip": [
                     *                 220,
                     *                 128
                     *               ],
                     *               "right_ear": [
                     *                 177,
                     *                 114
                     *               ],
                     *               "right_eye": [
                     *                 201,
                     *                 105
                     *               ]
                     *             },
                     *             "score": 0.9223
                     *           },
                     *           "faces_detected": 1,
                     *           "filename": "happy_sample.jpg",
                     *           "image": {
                     *             "format": "jpeg",
                     *             "height": 512,
                     *             "width": 512
                     *           },
                     *           "index": 0,
                     *           "inference_time_ms": 1.8,
                     *           "is_uncertain": false,
                     *           "probabilities": {
                     *             "angry": 0,
                     *             "disgust": 0,
                     *             "fear": 0,
                     *             "happy": 0.9999,
                     *             "neutral": 0.0001,
                     *             "sad": 0,
                     *             "surprise": 0
                     *           },
                     *           "success": true,
                     *           "timings_ms": {
                     *             "decode": 1.6,
                     *             "detect": 2,
                     *             "inference": 1.8,
                     *             "prepare": 0.49,
                     *             "queue": 0.07,
                     *             "total": 5.96
                     *           },
                     *           "warnings": []
                     *         },
                     *         {
                     *           "error": "no_face_detected",
                     *           "filename": "no_face.jpg",
                     *           "index": 1,
                     *           "message": "No face found in the image. Use a well-lit photo in which one face looks at the camera.",
                     *           "success": false
                     *         }
                     *       ],
                     *       "success": true,
                     *       "summary": {
                     *         "by_emotion": {
                     *           "happy": 1
                     *         },
                     *         "by_error": {
                     *           "no_face_detected": 1
                     *         },
                     *         "failed": 1,
                     *         "succeeded": 1,
                     *         "total": 2,
                     *         "uncertain": 0
                     *       },
                     *       "total_time_ms": 70.91
                     *     }
                     */
                    "application/json": components["schemas"]["BatchResult"];
                    /**
                     * @example index,filename,success,emotion,confidence,is_uncertain,p_angry,p_disgust,p_fear,p_happy,p_sad,p_surprise,p_neutral,faces_detected,x,y,width,height,warnings,error,message
                     *     0,happy_sample.jpg,true,happy,0.9999,false,0.0,0.0,0.0,0.9999,0.0,0.0,0.0001,1,176,82,96,96,,,
                     *     1,no_face.jpg,false,,,,,,,,,,,,,,,,,no_face_detected,No face found in the image. Use a well-lit photo in which one face looks at the camera.
                     */
                    "text/csv": string;
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `model_not_found` */
            404: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `file_too_large`, `too_many_files` */
            413: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unsupported_media_type` */
            415: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout`, `overloaded`, `details_unavailable` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    compare: {
        parameters: {
            query?: {
                /** @description Names of models, separated by commas; without it, all models. */
                models?: string;
                /** @description `one` refuses a picture with several faces, `largest` takes the largest. */
                faces?: "one" | "largest";
                /** @description Without a face, `error` returns the error `no_face_detected`; `center` takes the middle of the picture as the face, with a warning. */
                on_no_face?: "error" | "center";
                /** @description What else to return of each face, separated by commas: `action_units`, `blendshapes`, `head_pose`, `mesh`, `emotion_vector`, `description`. */
                details?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": {
                    /**
                     * Format: binary
                     * @description A JPEG, PNG, WebP or BMP picture.
                     */
                    file: string;
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    Link: components["headers"]["Link"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "agree": true,
                     *       "by_emotion": {
                     *         "happy": [
                     *           "default",
                     *           "accurate"
                     *         ]
                     *       },
                     *       "face": {
                     *         "box": {
                     *           "height": 95,
                     *           "width": 95,
                     *           "x": 177,
                     *           "y": 83
                     *         },
                     *         "landmarks": {
                     *           "left_ear": [
                     *             271,
                     *             124
                     *           ],
                     *           "left_eye": [
                     *             246,
                     *             110
                     *           ],
                     *           "mouth_center": [
                     *             219,
                     *             149
                     *           ],
                     *           "nose_tip": [
                     *             220,
                     *             128
                     *           ],
                     *           "right_ear": [
                     *             177,
                     *             114
                     *           ],
                     *           "right_eye": [
                     *             201,
                     *             105
                     *           ]
                     *         },
                     *         "score": 0.9223
                     *       },
                     *       "faces_detected": 1,
                     *       "image": {
                     *         "format": "jpeg",
                     *         "height": 512,
                     *         "width": 512
                     *       },
                     *       "largest_difference": {
                     *         "angry": 0,
                     *         "disgust": 0,
                     *         "fear": 0,
                     *         "happy": 0,
                     *         "neutral": 0.0001,
                     *         "sad": 0,
                     *         "surprise": 0
                     *       },
                     *       "models": [
                     *         {
                     *           "confidence": 0.9999,
                     *           "emotion": "happy",
                     *           "inference_time_ms": 1.99,
                     *           "is_uncertain": false,
                     *           "model": {
                     *             "name": "default",
                     *             "version": "0.6.0"
                     *           },
                     *           "probabilities": {
                     *             "angry": 0,
                     *             "disgust": 0,
                     *             "fear": 0,
                     *             "happy": 0.9999,
                     *             "neutral": 0.0001,
                     *             "sad": 0,
                     *             "surprise": 0
                     *           }
                     *         },
                     *         {
                     *           "confidence": 0.9999,
                     *           "emotion": "happy",
                     *           "inference_time_ms": 10.2,
                     *           "is_uncertain": false,
                     *           "model": {
                     *             "name": "accurate",
                     *             "version": "0.4.0"
                     *           },
                     *           "probabilities": {
                     *             "angry": 0,
                     *             "disgust": 0,
                     *             "fear": 0,
                     *             "happy": 0.9999,
                     *             "neutral": 0,
                     *             "sad": 0,
                     *             "surprise": 0
                     *           }
                     *         }
                     *       ],
                     *       "request_id": "4f7c2d9e8b1a4c6f9d3e5a7b8c0d1e2f",
                     *       "success": true,
                     *       "timings_ms": {
                     *         "decode": 1.65,
                     *         "detect": 2.34,
                     *         "inference": 12.19,
                     *         "prepare": 0.94,
                     *         "queue": 0.18,
                     *         "total": 17.3
                     *       },
                     *       "warnings": []
                     *     }
                     */
                    "application/json": components["schemas"]["ComparisonResult"];
                };
            };
            /** @description `empty_file`, `invalid_image` */
            400: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `model_not_found` */
            404: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `file_too_large`, `image_too_large` */
            413: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `unsupported_media_type` */
            415: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request`, `image_too_small`, `no_face_detected`, `multiple_faces` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout`, `overloaded`, `details_unavailable` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    stats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "errors": {
                     *         "no_face_detected": 1
                     *       },
                     *       "faces": 1,
                     *       "models": {
                     *         "default": {
                     *           "confidence": {
                     *             "bounds": [
                     *               0.1,
                     *               0.2,
                     *               0.3,
                     *               0.4,
                     *               0.5,
                     *               0.6,
                     *               0.7,
                     *               0.8,
                     *               0.9
                     *             ],
                     *             "counts": [
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               1
                     *             ],
                     *             "mean": 0.92
                     *           },
                     *           "faces": 1,
                     *           "labels": {
                     *             "happy": 1
                     *           },
                     *           "latency_ms": {
                     *             "bounds": [
                     *               1,
                     *               2,
                     *               5,
                     *               10,
                     *               20,
                     *               50,
                     *               100,
                     *               200,
                     *               500,
                     *               1000,
                     *               2000,
                     *               5000,
                     *               10000,
                     *               30000
                     *             ],
                     *             "counts": [
                     *               0,
                     *               0,
                     *               0,
                     *               1,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0,
                     *               0
                     *             ],
                     *             "mean": 5.9
                     *           },
                     *           "pictures": 1,
                     *           "uncertain": 0,
                     *           "uncertain_share": 0
                     *         }
                     *       },
                     *       "pictures": 1,
                     *       "requests": {
                     *         "/predict": 2
                     *       },
                     *       "success": true,
                     *       "uptime_seconds": 3600,
                     *       "warnings": {
                     *         "blurred": 1
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Stats"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_found` */
            404: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `invalid_request` */
            422: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    stream_token: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "expires_in": 60,
                     *       "request_id": "4f7c2d9e8b1a4c6f9d3e5a7b8c0d1e2f",
                     *       "success": true,
                     *       "token": "AGkm0ol3ZWJzaXRlZ3Y2b8Wm0xXo3b1cJq2uYw"
                     *     }
                     */
                    "application/json": components["schemas"]["Token"];
                };
            };
            /** @description `unauthorized` */
            401: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `rate_limited` */
            429: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-RateLimit-Limit": components["headers"]["X-RateLimit-Limit"];
                    "X-RateLimit-Remaining": components["headers"]["X-RateLimit-Remaining"];
                    "X-RateLimit-Reset": components["headers"]["X-RateLimit-Reset"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `internal_error` */
            500: {
                headers: {
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description `not_ready`, `timeout` */
            503: {
                headers: {
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Request-ID": components["headers"]["X-Request-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
}
