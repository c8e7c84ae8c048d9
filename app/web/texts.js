/** The texts of the page: expressions, levels of confidence, warnings and errors. */

const ADJECTIVES = { fear: "afraid", disgust: "disgusted", surprise: "surprised" };

/** The label as an adjective, as in "looks afraid". */
export const adjective = (label) => ADJECTIVES[label.toLowerCase()] ?? label;

/** By level of confidence: how a prediction is put, and how sure it is. */
export const LEVELS = {
  sure: { lead: "Looks", sure: "sure" },
  fair: { lead: "Seems", sure: "fairly sure" },
  uncertain: { lead: "Uncertain, perhaps", sure: "uncertain" },
};

/** By warning code: a few words for beside the result, what is wrong, and what to do about it. */
export const WARNINGS = {
  face_too_small: ["Small face", "The face is small in this photo.", "Crop closer to it, or take the photo from nearer."],
  blurred: ["Blurred", "The face is blurred.", "Hold still, wipe the lens, and let the camera focus on the face."],
  too_dark: ["Dark", "The face is dark.", "Turn towards a window or a lamp."],
  too_bright: ["Overexposed", "The face is overexposed.", "Move out of direct light, or lower the exposure."],
  turned_away: ["Turned away", "The face is turned away.", "A photo from the front is read more reliably."],
  at_edge: ["Cut off", "The face touches the edge of the photo.", "Leave some room around the head. What is missing was filled in."],
  multiple_faces: ["Several faces", "There is more than one face.", "Choose one in the photo to see how it is read."],
  mesh_unsure: ["No movements", "Too little of the face shows to measure what it does.", "Use a larger picture of the face, from the front and uncovered."],
  face_assumed: ["No face found", "No face was found, so the middle of the photo was read.", "Trust this only if a face does fill the middle."],
};

const RELOAD = ["Reload the page. If that does not help, tell whoever runs it."];
const UNFIT = "The page and the service do not fit together; one of them may be older.";

/**
 * By error code: a title, what happened, what helps, and the actions that are offered beside another photo. With `asSaid` the
 * service's own sentence is shown, which names sizes and limits; with `aboutFile` the name and the size of the file.
 * `wait` counts down and sends again; `ready` waits until the service is ready, `online` until the connection is back.
 */
const ERRORS = {
  no_face_detected: {
    title: "No face found",
    text: "The photo was read, but nothing in it looked enough like a face.",
    next: ["Use a photo in which the face looks at the camera.", "Make sure it is well lit, and not tiny or covered."],
    actions: ["another", "center"],
  },
  multiple_faces: {
    title: "More than one face",
    text: "The service was asked to read exactly one.",
    next: ["Read all of them and choose one in the photo."],
    actions: ["again"],
  },
  unsupported_media_type: {
    title: "Not a format it reads",
    text: "Visage reads JPEG, PNG, WebP and BMP.",
    next: ["From an iPhone, share the photo as “Most compatible”, or take a screenshot of it.", "From a document, export the page as a PNG."],
    aboutFile: true,
    asSaid: true,
  },
  file_unreadable: {
    title: "The file cannot be read",
    text: "It was moved, changed or deleted.",
    next: ["Choose it again."],
  },
  file_too_large: {
    title: "The file is too large",
    text: "The service takes less than this in one request. The page makes a photo smaller if it can open it.",
    next: ["Export it as a JPEG, or crop it to the face."],
    aboutFile: true,
  },
  image_too_large: {
    title: "Too many pixels",
    text: "The photo has more pixels than the service will open.",
    next: ["Crop it to the face, or export a smaller copy."],
    aboutFile: true,
    asSaid: true,
  },
  image_too_small: {
    title: "The photo is too small",
    text: "There are too few pixels to show a face.",
    next: ["Use the original rather than a thumbnail of it."],
    aboutFile: true,
    asSaid: true,
  },
  too_many_files: {
    title: "Too many files at once",
    text: "The service takes fewer photos in one request.",
    next: ["Send fewer at a time."],
    asSaid: true,
    actions: ["again"],
  },
  invalid_image: {
    title: "The file is damaged",
    text: "It starts like a photo, but cannot be read to the end. A download may have been cut off.",
    next: ["Open it in a photo viewer and export it again."],
    aboutFile: true,
  },
  empty_file: {
    title: "The file is empty",
    text: "It holds no bytes at all. It may still be on its way from a cloud drive.",
    next: ["Open the file once, so that it is downloaded, and choose it again."],
    aboutFile: true,
  },
  rate_limited: {
    title: "A short pause",
    text: "This service reads only so many photos a minute for each person. The photo goes out again by itself.",
    actions: ["wait"],
  },
  overloaded: {
    title: "Busy with others",
    text: "More photos are waiting than can be read at once. Yours goes out again by itself.",
    actions: ["wait"],
  },
  timeout: {
    title: "That took too long",
    text: "The request was dropped so that it would not hold up others.",
    next: ["If it happens again, try a smaller photo."],
    actions: ["wait"],
  },
  not_ready: {
    title: "Waking up",
    text: "The service is starting, or another takes its place. That mostly takes 5 to 30 seconds. The photo goes out as soon as it is ready.",
    actions: ["ready"],
  },
  unauthorized: {
    title: "This service asks for a key",
    text: "Whoever runs it gave it a list of keys. Yours stays in this page and is forgotten when you close it.",
    actions: ["key"],
  },
  wrong_key: {
    title: "This key is not valid",
    text: "The service does not know the key that was sent. Check it for missing letters, or ask whoever runs the service for another.",
    actions: ["key"],
  },
  forbidden: {
    title: "This key may not do that",
    text: "The service knows the key, but lets only the keys of its administrators do this.",
    actions: ["key"],
  },
  model_not_found: {
    title: "That model is gone",
    text: "The service does not offer the chosen model any more.",
    next: ["The default model can read the photo."],
    asSaid: true,
    actions: ["default"],
  },
  invalid_request: {
    title: "The service did not understand",
    text: "The page asked in a way that this version of the service does not know.",
    next: RELOAD,
    asSaid: true,
    actions: ["reload"],
  },
  malformed_request: {
    title: "The request arrived broken",
    text: "Something between this page and the service changed it on the way, such as a proxy or an extension.",
    asSaid: true,
    actions: ["again"],
  },
  headers_too_large: {
    title: "The browser sent too much",
    text: "The request carried more headers than the service takes, mostly cookies of other pages at this address.",
    next: ["Clear the cookies of this address, or use a private window."],
    actions: ["again"],
  },
  details_unavailable: {
    title: "No details of the face",
    text: "This service does not measure the parts of a face. Try again to read the photo without them.",
    actions: ["again"],
  },
  model_rejected: {
    title: "A model was refused",
    text: "The models on the service's disk are not fit to serve. Those that were loaded before go on.",
    actions: ["again"],
  },
  not_found: {
    title: "Nothing at that address",
    text: UNFIT,
    actions: ["reload"],
  },
  method_not_allowed: {
    title: "The service refused the request",
    text: UNFIT,
    actions: ["reload"],
  },
  internal_error: {
    title: "Something went wrong there",
    text: "The fault is the service's, not your photo's.",
    next: ["Try once more. If it fails again, give whoever runs it the request id below."],
    actions: ["again"],
  },
  offline: {
    title: "You are offline",
    text: "The photo has not left this device. It goes out when the connection is back.",
    actions: ["online"],
  },
  unreachable: {
    title: "Not reachable",
    text: "The service may be restarting, or the connection dropped. The photo goes out as soon as it can be reached.",
    actions: ["ready"],
  },
  unsupported_browser: {
    title: "This browser cannot do it",
    text: "Reading on the device needs WebAssembly with SIMD, which this browser does not have.",
    next: ["Current versions of Chrome, Edge, Firefox and Safari have it."],
    actions: ["service"],
  },
  model_file_unreachable: {
    title: "The engine is not here yet",
    text: "It has to be loaded once, with a network. The photo has not left this device.",
    actions: ["again", "service"],
  },
  model_file_missing: {
    title: "A part of the engine is missing",
    text: "The service no longer has a file that the engine needs. The photo has not left this device.",
    next: RELOAD,
    actions: ["reload", "service"],
  },
  model_file_mismatch: {
    title: "A part of the engine was changed",
    text: "One of its files is not the one that its hash describes, so it is not used. The photo has not left this device.",
    next: RELOAD,
    actions: ["reload", "service"],
  },
  engine_failed: {
    title: "The engine failed",
    text: "This browser could not run it, for want of memory perhaps. The photo has not left this device.",
    next: ["Close other pages and try again."],
    actions: ["again", "service"],
  },
  camera_denied: {
    title: "The camera is blocked",
    text: "This page has no permission to use it.",
    next: ["Open the site settings beside the address, allow the camera, and try again."],
    actions: ["again"],
  },
  camera_missing: {
    title: "No camera found",
    text: "This device has none, or the browser cannot see it.",
    next: ["Connect one and try again, or choose a photo instead."],
    actions: ["again"],
  },
  no_video: {
    title: "Not a video",
    text: "Live reads a camera or a video file. Photos are for One photo and Many.",
    actions: ["again"],
  },
  video_unreadable: {
    title: "The browser cannot play it",
    text: "Nothing was sent. Browsers play MP4 with H.264, and WebM; some phones record in other formats.",
    next: ["Export it as MP4 (H.264), or open it in another browser."],
    actions: ["again"],
  },
  camera_busy: {
    title: "The camera is in use",
    text: "Another program or tab is holding it.",
    next: ["Close the other program and try again."],
    actions: ["again"],
  },
  camera_insecure: {
    title: "The camera needs a secure address",
    text: "Browsers open cameras only on https or on localhost.",
    next: ["Open this page over https, or choose a photo instead."],
  },
};

export const textsFor = (code) => ERRORS[code] ?? ERRORS.internal_error;
