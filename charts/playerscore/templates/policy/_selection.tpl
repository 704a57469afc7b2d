{{/*
What both policies on the selection know. The rule is the core's (admission.py, coherence.py, readiness.py,
edits.py), in the same words; `box` to `iou` do geometry.py's float operations in geometry.py's order, so that
both agree to the last bit. Coordinates may be whole numbers, hence double().
*/}}
{{- define "playerscore.selectionMatch" -}}
matchConstraints:
  resourceRules:
    - apiGroups: [playerscore.dev]
      apiVersions: [v1alpha1]
      operations: [CREATE, UPDATE]
      resources: [scoringjobs]
      scope: Namespaced
matchConditions:
  # Status, labels and finalizers never wait for this.
  - name: spec-is-new-or-changed
    expression: "request.operation == 'CREATE' || object.spec != oldObject.spec"
{{- end }}

{{- define "playerscore.selectionVariables" -}}
- name: created
  expression: "request.operation == 'CREATE'"
- name: old
  expression: "variables.created ? object.spec : oldObject.spec"
- name: wasSuspended
  expression: "variables.created || variables.old.?suspend.orValue(true)"
- name: enqueued
  expression: "variables.wasSuspended && !object.spec.?suspend.orValue(true)"
- name: asked
  expression: >-
    variables.created || variables.enqueued || object.spec.?player_ref != variables.old.?player_ref ||
    object.spec.?target != variables.old.?target
- name: trackId
  expression: "object.spec.?player_ref.?track_id"
# A client may write 7.0 for 7.
- name: trackName
  expression: "object.spec.?player_ref.?track_id.optMap(t, string(int(t))).orValue('')"
- name: frameKey
  expression: "object.spec.?target.?frame_key.orValue('')"
- name: frame
  expression: "object.?status.?preview.?frames.orValue([]).filter(f, f.frame_key == variables.frameKey)[?0]"
# Not variables.frame.?tracks: an optional that is held in a variable is not looked into.
- name: tracks
  expression: "variables.frame.optMap(f, f.tracks).orValue([])"
- name: track
  expression: "variables.tracks.filter(t, t.track_id == variables.trackId.orValue(-1))[?0]"
- name: box
  expression: >-
    object.spec.?target.?bbox.optMap(b, [double(b.x), double(b.y), double(b.w), double(b.h)])
    .orValue([0.0, 0.0, 0.0, 0.0])
- name: his
  expression: >-
    variables.track.optMap(t, [double(t.bbox.x), double(t.bbox.y), double(t.bbox.w), double(t.bbox.h)])
    .orValue([0.0, 0.0, 0.0, 0.0])
- name: width
  expression: >-
    [variables.box[0] + variables.box[2], variables.his[0] + variables.his[2]].min() -
    [variables.box[0], variables.his[0]].max()
- name: height
  expression: >-
    [variables.box[1] + variables.box[3], variables.his[1] + variables.his[3]].min() -
    [variables.box[1], variables.his[1]].max()
- name: areas
  expression: "[variables.box[2] * variables.box[3], variables.his[2] * variables.his[3]]"
- name: shared
  expression: >-
    variables.width > 0.0 && variables.height > 0.0
    ? [variables.width * variables.height, variables.areas[0], variables.areas[1]].min() : 0.0
- name: iou
  expression: >-
    variables.shared > 0.0
    ? [1.0, variables.shared / (variables.areas[0] + variables.areas[1] - variables.shared)].min() : 0.0
# Whoever writes a box writes its force with it; beside a box that stays, another player was not forced.
- name: staleForce
  expression: >-
    object.spec.?target.?force.orValue(false) && variables.old.?target.?force.orValue(false) &&
    object.spec.?target.?frame_key == variables.old.?target.?frame_key &&
    object.spec.?target.?bbox == variables.old.?target.?bbox &&
    variables.trackId != variables.old.?player_ref.?track_id
- name: verdict
  expression: >-
    !has(object.spec.player_ref) || !has(object.spec.target) ? 'NotSelected' :
    !object.?status.?preview.hasValue()
    ? (variables.staleForce && variables.trackId.hasValue() ? 'TARGET_MISMATCH' : 'PreviewPending') :
    !variables.frame.hasValue() ? 'FRAME_NOT_FOUND' :
    variables.tracks.size() == 0 || !variables.trackId.hasValue() ? 'NotApplicable' :
    variables.iou >= 0.2 ? 'Coherent' :
    object.spec.target.?force.orValue(false) && !variables.staleForce ? 'Forced' : 'TARGET_MISMATCH'
# Cut to three places, not rounded: what is below the threshold never reads as the threshold.
- name: mismatch
  expression: >-
    'IoU ' + '%.3f'.format([double(int(variables.iou * 1000.0)) / 1000.0]) +
    ' with track ' + variables.trackName +
    (variables.track.hasValue() ? ' on ' : ' which is not on ') + variables.frameKey + ' is below 0.2'
- name: anchors
  expression: "object.spec.?anchors.orValue([])"
- name: anchored
  expression: >-
    variables.asked || object.spec.?anchors != variables.old.?anchors ||
    object.spec.?analysis != variables.old.?analysis
- name: range
  expression: >-
    [double(object.spec.?analysis.?startSec.orValue(0)), [double(object.spec.?analysis.?endSec.orValue(1000000)),
    double(object.?status.?preview.?video.?duration_sec.orValue(1000000))].min()]
# Each anchor's time, its box, and the picked track's there; only those at which the preview saw him.
- name: seen
  expression: >-
    !variables.trackId.hasValue() || object.spec.?target.?force.orValue(false) ? [] :
    variables.anchors.map(a, object.?status.?preview.?frames.orValue([]).filter(f,
    double(f.time_sec) - double(a.time_sec) <= 0.001 && double(a.time_sec) - double(f.time_sec) <= 0.001 &&
    f.tracks.exists(t, t.track_id == variables.trackId.orValue(-1)))[?0].optMap(f,
    [[[double(a.time_sec)], a.?bbox.optMap(b, [double(b.x), double(b.y), double(b.w), double(b.h)]).orValue([]),
    f.tracks.filter(t, t.track_id == variables.trackId.orValue(-1)).map(t,
    [double(t.bbox.x), double(t.bbox.y), double(t.bbox.w), double(t.bbox.h)])[0]]]).orValue([]))
    .filter(s, s.size() > 0).map(s, s[0])
# The time of each, and width, height and areas of what is shared; no areas where he is said to be absent.
- name: shares
  expression: >-
    variables.seen.map(s, s[1].size() == 0 ? [s[0][0]] : [s[0][0],
    [s[1][0] + s[1][2], s[2][0] + s[2][2]].min() - [s[1][0], s[2][0]].max(),
    [s[1][1] + s[1][3], s[2][1] + s[2][3]].min() - [s[1][1], s[2][1]].max(),
    s[1][2] * s[1][3], s[2][2] * s[2][3]])
# The time of each and the IoU, -1 where he is said to be absent.
- name: overlaps
  expression: >-
    variables.shares.map(s, s.size() == 1 ? [s[0], -1.0] : s[1] > 0.0 && s[2] > 0.0
    ? [s[0], [s[1] * s[2], s[3], s[4]].min()] + s : [s[0], 0.0])
    .map(s, s.size() == 2 || s[1] <= 0.0 ? [s[0], s[1] < 0.0 ? -1.0 : 0.0]
    : [s[0], [1.0, s[1] / (s[5] + s[6] - s[1])].min()])
{{- end }}
