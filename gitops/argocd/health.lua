-- Argo CD's health of a ScoringJob. It says what kstatus says (docs/conditions.md), and Suspended where the next
-- step is a person's. Runs without Lua's string library, as a customization does.

local function health(status, message)
  return {status = status, message = message}
end

local job = obj.status or {}
local conditions = {}
for _, condition in ipairs(job.conditions or {}) do
  conditions[condition.type] = condition
end

local function is_true(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local function told(kind, otherwise)
  local condition = conditions[kind]
  if condition == nil or condition.message == nil or condition.message == "" then
    return otherwise
  end
  return condition.message
end

local function with_reason(kind)
  return conditions[kind].reason .. ": " .. told(kind, "")
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "Pending deletion")
end
if job.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not looked at this version yet")
end
if is_true("Stalled") then
  return health("Degraded", with_reason("Stalled"))
end
if is_true("Reconciling") then
  return health("Progressing", with_reason("Reconciling"))
end

local progress = job.progress or {}
local step = progress.step
local launched = job.run ~= nil and (job.run.attempt or 0) > 0

if step == "COMPLETED" then
  return health("Healthy", told("Succeeded", "Completed"))
end
if step == "EXTRACTING_PREVIEW" then
  return health("Healthy", told("PreviewReady", "The preview is being made"))
end
if step == "QUEUED" then
  return health("Healthy", "Queued: " .. told("Running", "not started yet"))
end
if step == "ANALYZING" then
  local percent = progress.percent
  if not is_true("Running") then
    return health("Healthy", "Waits to run again: " .. told("Running", ""))
  end
  if percent == nil then
    return health("Healthy", "Analysing")
  end
  return health("Healthy", "Analysing: " .. percent .. " %")
end
if obj.spec.suspend ~= false and launched then
  return health("Suspended", "Paused")
end
if step == "WAITING_FOR_PLAYER" then
  return health("Suspended", "A person picks a player")
end
if conditions.TargetCoherent ~= nil and conditions.TargetCoherent.status == "False" then
  return health("Suspended", with_reason("TargetCoherent"))
end
if step == "WAITING_FOR_TARGET_CONFIRMATION" then
  return health("Suspended", "A person confirms where the player is")
end
if step == "READY_TO_ENQUEUE" then
  return health("Suspended", "Ready: a person enqueues it")
end
return health("Progressing", "The operator has not looked at this version yet")
