"""The table itself: one row a key, in the order in which help and docs/keys.md list them."""

from __future__ import annotations

from collections.abc import Mapping

from runctl.keymap.action import Action, Need, Scope


def _at(line: str, method: str, label: str, help_text: str, **more: object) -> Action:
    """A row: `line` is the id and its keys, separated by spaces; the scope is found from the id's first word."""
    identifier, *keys = line.split()
    scope = _SCOPE_OF[identifier.partition(".")[0]]
    return Action(identifier, scope, tuple(keys), method, label, help_text, **more)  # type: ignore[arg-type]  # typed by Action at every row


_SCOPE_OF = {scope.name.lower(): scope for scope in Scope} | {"app": Scope.GLOBAL}

# One row a line, so that the table can be read as one.
# fmt: off
ACTIONS: tuple[Action, ...] = (
    # -- everywhere ---------------------------------------------------------------------------------------------------
    _at("app.instances 1", "app.switch_mode('instances')", "Instances", "Machines: state, price, activity."),
    _at("app.jobs 2", "app.switch_mode('jobs')", "Jobs", "Training jobs and the machines they run on."),
    _at("app.s3 3", "app.switch_mode('s3')", "S3", "Buckets and what is in them."),
    _at("app.volumes 4", "app.switch_mode('volumes')", "Volumes", "Disks, snapshots and addresses."),
    _at("app.cost 5", "app.switch_mode('cost')", "Cost", "Everything that bills now, sorted by price."),
    _at("app.command colon", "app.command_line", "command", "Type a command: a screen, profile, region, sort.", weight=12),
    _at("app.help question_mark f1", "app.help", "more", "All keys that work here, and how to filter.", weight=90),
    _at("app.palette ctrl+p f2", "app.command_palette", "palette", "Find any action by name."),
    _at("app.refresh r ctrl+r f5", "app.refresh", "refresh", "Ask AWS again now.", weight=10),
    _at("app.pause p", "app.pause", "pause", "Stop asking AWS, or go on."),
    _at("app.profile P", "app.profile", "profile", "Choose another AWS profile."),
    _at("app.region R", "app.region", "region", "Choose the regions to look at."),
    _at("app.login L", "app.login", "log in", "Log in again in this terminal.", weight=95, need=Need.SIGNED_OUT),
    _at("app.errors exclamation_mark", "app.errors", "errors", "Errors seen, newest first.", weight=70, need=Need.ERRORS),
    _at("app.history_back left_square_bracket", "app.history(-1)", "last view", "The view before this one."),
    _at("app.history_forward right_square_bracket", "app.history(1)", "next view", "Forward again after `[`."),
    _at("app.back escape backspace", "app.back", "back", "One step back: leave the filter, clear it, close the view.",
        weight=54, need=Need.FILTER),
    _at("app.leave q", "app.leave", "quit", "One step back; on a top screen, quit.", weight=5),
    _at("app.quit ctrl+q ctrl+c f10", "app.quit", "quit now", "Quit from anywhere. Jobs are not affected.", priority=True),
    # -- every list ---------------------------------------------------------------------------------------------------
    _at("list.filter slash f", "screen.filter", "filter", "Show only matching rows.", weight=60),
    _at("list.describe d", "screen.describe", "describe", "Everything known about the row.", weight=48, need=Need.ROW),
    _at("list.raw y", "screen.raw", "raw", "The row as AWS describes it, in YAML or JSON.", weight=20, need=Need.ROW),
    _at("list.sort o", "screen.sort", "sort", "Choose the column to sort by.", weight=50),
    _at("list.sort_flip O", "screen.sort_flip", "flip", "Turn the order of the rows round."),
    _at("list.sort_left less_than_sign", "screen.sort_move(-1)", "sort left", "Sort by the column to the left."),
    _at("list.sort_right greater_than_sign", "screen.sort_move(1)", "sort right", "Sort by the column to the right."),
    _at("list.wide w", "screen.wide", "wide", "All columns, scrolled sideways, or those that fit.", weight=18),
    _at("list.waste i", "screen.waste_only", "waste", "Only what is idle or wasted.", weight=45),
    _at("list.compare equals_sign", "screen.compare", "compare", "Two marked rows together.", weight=80, need=Need.PAIR),
    _at("list.copy c", "screen.copy_id", "copy id", "Copy the id of the row, or of all marks.", weight=30, need=Need.ROW),
    _at("list.copy_menu C", "screen.copy_menu", "copy…", "Copy the ARN, ssh line, console URL or JSON.", need=Need.ROW),
    _at("list.console b", "screen.open_console", "console", "Open the row in the AWS console.", weight=15, need=Need.ROW),
    _at("list.export E ctrl+s", "screen.export", "export", "Write the rows shown to a file.", weight=8),
    _at("list.zoom z", "screen.zoom", "zoom", "Give one pane the whole screen; again for all.", weight=6),
    # -- the table ----------------------------------------------------------------------------------------------------
    _at("table.open enter", "focused.open", "open", "Open the row under the cursor.", weight=100, need=Need.ROW),
    _at("table.mark space", "focused.mark", "mark", "Mark the row and go down one.", weight=55, need=Need.ROW),
    _at("table.mark_range v", "focused.mark_range", "range", "Start a range; again marks all rows up to the cursor."),
    _at("table.mark_all asterisk", "focused.mark_all", "mark all", "Mark every row shown.", weight=52, need=Need.MARKS),
    _at("table.unmark u ctrl+backslash", "focused.unmark", "unmark", "Forget all marks.", weight=75, need=Need.MARKS),
    _at("table.down j down", "focused.move(1)", "down", "One row down."),
    _at("table.up k up", "focused.move(-1)", "up", "One row up."),
    _at("table.first g home ctrl+home", "focused.first", "top", "First row."),
    _at("table.last G end ctrl+end", "focused.last", "bottom", "Last row."),
    _at("table.page_down pagedown ctrl+f", "focused.page(1)", "page down", "One page down."),
    _at("table.page_up pageup ctrl+b", "focused.page(-1)", "page up", "One page up."),
    _at("table.half_down J ctrl+d", "focused.page(0.5)", "half down", "Half a page down. It never deletes."),
    _at("table.half_up K ctrl+u", "focused.page(-0.5)", "half up", "Half a page up."),
    _at("table.left left h", "focused.sideways(-8)", "left", "Scroll left when all columns are shown."),
    _at("table.right right", "focused.sideways(8)", "right", "Scroll right when all columns are shown."),
    # -- one noun -----------------------------------------------------------------------------------------------------
    # What changes something: each opens a dialog that looks, judges and asks; none does anything by itself.
    _at("list.menu a", "screen.menu", "actions", "Everything that can be done to the row, or to all marks.", weight=57, need=Need.THING, mutates=True),
    _at("instances.stop S", "screen.stop", "stop", "Stop machines: the disks stay and bill.", weight=64, need=Need.ROW, mutates=True),
    _at("list.delete D", "screen.delete", "delete", "Terminate machines, delete disks and snapshots, give addresses back: always typed.", weight=62, need=Need.THING, mutates=True, danger=True),
    _at("list.adopt A", "screen.adopt", "adopt", "Make it ours: tags that say whose it is, its project, when it ends.", weight=22, need=Need.THING, mutates=True),
    _at("instances.launch n", "screen.launch", "launch", "Launch machines: what it costs is shown before anything happens.", weight=63, mutates=True),
    _at("instances.extend plus", "screen.extend", "more time", "Give a machine more time before it ends itself.", weight=28, need=Need.ROW, mutates=True),
    _at("instances.shell s", "screen.shell", "shell", "A shell on the machine, through Systems Manager.", weight=47, need=Need.ROW, mutates=True),
    _at("volumes.create n", "screen.create", "new disk", "Make a disk.", weight=61, mutates=True),
    _at("volumes.cleanup X", "screen.cleanup", "clean up", "Look at everything of ours that is of no use, and ask.", weight=59, mutates=True),
    _at("cost.cleanup X", "screen.cleanup", "clean up", "Look at everything of ours that is of no use, and ask.", weight=59, mutates=True),
    _at("cost.span T", "screen.span", "24h/7d", "The burn of the last 24 hours, or of the last 7 days.", weight=56),
    _at("s3.sync n", "screen.sync", "sync", "Compare two places, see what differs, then copy it.", weight=85, mutates=True),
    _at("s3.transfers t", "screen.transfers", "transfers", "Transfers of this session: errors, pause, cancel.", weight=58),
    _at("s3.pane tab", "screen.pane", "other pane", "To the other pane: this machine's files, or S3.", weight=84),
    _at("s3.measure s", "screen.measure", "size", "List everything below the row and sum it up.", weight=44, need=Need.ROW),
    _at("cost.billed B", "screen.billed", "billed", "What AWS has billed this month, beside the estimate ($0.01, off by default)."),
    _at("cost.group t", "screen.group", "total by", "Total by owner, project, kind, type, region; again for the next.", weight=58),
    _at("jobs.stop S", "screen.stop", "stop", "Stop the job: it saves, uploads, verifies, then its machine ends.", weight=64, need=Need.ROW, mutates=True),
    _at("jobs.submit n", "screen.submit_job", "new job", "Submit a job: what would be sent and what it costs is shown first.", weight=61, mutates=True),
    _at("jobs.logs l", "screen.logs", "log", "Open the job with its log over the whole screen.", weight=63, need=Need.ROW),
    _at("jobs.metrics m", "screen.metrics", "curves", "Open the job with its curves over the whole screen.", weight=49, need=Need.ROW),
    # -- an opened job ------------------------------------------------------------------------------------------------
    _at("job.logs l", "screen.pane('log')", "log", "The log over the whole screen; again for everything.", weight=80),
    _at("job.metrics m", "screen.pane('curve')", "curves", "The curves over the whole screen; again for everything.", weight=78),
    _at("job.stop S", "screen.stop_job", "stop", "Stop the job: it saves, uploads, verifies, then its machine ends.", weight=75, mutates=True),
    _at("job.menu a", "screen.job_menu", "actions", "Stop, resume, retry.", weight=58, mutates=True),
    _at("job.search slash", "screen.search", "search", "Find a text in the log.", weight=74),
    _at("job.next n", "screen.search_next(1)", "next", "The next line with that text."),
    _at("job.previous N", "screen.search_next(-1)", "previous", "The line with that text before."),
    _at("job.last G end", "screen.follow", "follow", "The end of the log, and follow it.", weight=72),
    _at("job.first g home", "screen.first", "top", "The beginning of the log, as far back as it is fetched; again for more."),
    _at("job.down j down", "screen.scroll(1)", "down", "One line down."),
    _at("job.up k up", "screen.scroll(-1)", "up", "One line up."),
    _at("job.page_down pagedown space J ctrl+f ctrl+d", "screen.scroll_page(1)", "page down", "One page down."),
    _at("job.page_up pageup K ctrl+b ctrl+u", "screen.scroll_page(-1)", "page up", "One page up."),
    _at("job.left left h", "screen.sideways(-16)", "left", "Long lines to the left."),
    _at("job.right right", "screen.sideways(16)", "right", "Long lines to the right."),
    _at("job.wrap w", "screen.wrap", "wrap", "Fold long lines, or cut them.", weight=40),
    _at("job.times t", "screen.times", "times", "When each line was captured (UTC), or not.", weight=38),
    _at("job.save E ctrl+s", "screen.save", "save", "Write the whole log to a file, byte for byte.", weight=50),
    _at("job.metric tab v", "screen.metric(1)", "metric", "The next metric.", weight=60),
    _at("job.closer plus equals_sign", "screen.closer(1)", "closer", "Half as many points: the newest.", weight=36),
    _at("job.wider minus", "screen.closer(-1)", "wider", "Twice as many points, up to all."),
    _at("job.smooth s", "screen.smooth", "smooth", "Smooth the curve more; after the most, not at all.", weight=34),
    _at("job.log_scale y", "screen.log_scale", "log scale", "A logarithmic axis, or a plain one.", weight=32),
    _at("job.event_next full_stop", "screen.event(1)", "event", "The next event; log and curve go to its time."),
    _at("job.event_back comma", "screen.event(-1)", "event back", "The event before; log and curve go to its time.", weight=30),
    _at("job.attempt_back left_square_bracket", "screen.attempt(-1)", "attempt", "The attempt before.", weight=28),
    _at("job.attempt_next right_square_bracket", "screen.attempt(1)", "attempt", "The attempt after."),
    _at("job.describe d", "screen.describe", "describe", "Everything known about it: what was asked for, checkpoints, how it ended.", weight=44),
    _at("job.copy c", "screen.copy", "copy id", "Copy the id of the job."),
    _at("job.refresh r ctrl+r f5", "screen.look_again", "refresh", "Look again now."),
    _at("job.help question_mark f1", "screen.keys", "more", "All keys that work here.", weight=90),
    _at("job.close escape q backspace", "screen.close", "close", "Back to the list of jobs. The job is not affected.", weight=76),
    # -- readers: raw view, help, errors ------------------------------------------------------------------------------
    _at("viewer.down j down", "screen.scroll(1)", "down", "One line down."),
    _at("viewer.up k up", "screen.scroll(-1)", "up", "One line up."),
    _at("viewer.page_down pagedown space J ctrl+f ctrl+d", "screen.scroll_page(1)", "page down", "One page down."),
    _at("viewer.page_up pageup K ctrl+b ctrl+u", "screen.scroll_page(-1)", "page up", "One page up."),
    _at("viewer.first g home", "screen.scroll_first", "top", "The first line."),
    _at("viewer.last G end", "screen.scroll_last", "bottom", "The last line."),
    _at("viewer.search slash", "screen.search", "search", "Find a text.", weight=55),
    _at("viewer.next n", "screen.search_next(1)", "next", "The next place where it was found."),
    _at("viewer.previous N", "screen.search_next(-1)", "previous", "The place before."),
    _at("viewer.toggle y", "screen.switch_form", "YAML/JSON", "Turn between YAML and JSON.", weight=60),
    _at("viewer.copy c", "screen.copy", "copy", "Copy all of it.", weight=50),
    _at("viewer.close escape q backspace", "screen.close", "close", "Back to where you were.", weight=40),
    # -- the filter line ----------------------------------------------------------------------------------------------
    _at("filter.apply enter", "focused.submit", "keep", "Keep the filter and go back to the rows.", weight=60),
    _at("filter.clear escape", "focused.cancel", "clear", "Drop the filter.", weight=50),
    _at("filter.older up", "focused.older", "older", "A filter used before.", weight=40),
    _at("filter.newer down", "focused.newer", "newer", "Forward again after `up`.", weight=30),
    # -- dialogs ------------------------------------------------------------------------------------------------------
    _at("dialog.cancel escape", "screen.cancel", "cancel", "Close without doing anything.", weight=40),
    # -- a change: looked at, asked for, done, told ---------------------------------------------------------------------
    _at("plan.close escape", "screen.close", "cancel", "Close without doing anything; while it runs, begin nothing more.", weight=40),
    _at("plan.retry r", "screen.retry", "again", "Look again at what is not done, and ask again.", weight=30),
    _at("plan.copy c", "screen.copy", "copy", "Copy what came of it.", weight=20),
    _at("plan.page_down pagedown ctrl+f", "screen.scroll(1)", "page down", "One page of the text down."),
    _at("plan.page_up pageup ctrl+b", "screen.scroll(-1)", "page up", "One page of the text up."),
    # -- a launch ------------------------------------------------------------------------------------------------------
    _at("wizard.close escape", "screen.close", "cancel", "Close without launching; while it runs, try no other place.", weight=40),
    _at("wizard.edit e", "screen.edit", "edit", "After a launch: back to the form, for another try.", weight=30),
    _at("wizard.page_down pagedown ctrl+f", "screen.scroll(1)", "page down", "One page of the places down."),
    _at("wizard.page_up pageup ctrl+b", "screen.scroll(-1)", "page up", "One page of the places up."),
    _at("wizard.copy c", "screen.copy", "copy", "Copy each attempt and what came of it.", weight=20),
    # -- lines to fill in ------------------------------------------------------------------------------------------------
    _at("form.next down", "app.focus_next", "next", "The next line.", weight=20),
    _at("form.previous up", "app.focus_previous", "previous", "The line before.", weight=10),
    _at("choice.next right", "focused.choose(1)", "next", "The next choice.", weight=20),
    _at("choice.previous left", "focused.choose(-1)", "previous", "The choice before.", weight=10),
    _at("choice.list space", "focused.list", "list", "All choices, to narrow by typing.", weight=30),
    _at("choice.submit enter", "screen.submit", "go on", "Take the form as it is.", weight=40),
    # -- no credentials -----------------------------------------------------------------------------------------------
    _at("welcome.demo d", "screen.demo", "demo", "Look round in the demo: an embedded cloud, no account.", weight=90),
    _at("welcome.login L", "screen.login", "log in", "Log in to AWS in this terminal.", weight=80),
    _at("welcome.how question_mark", "screen.how", "how", "How credentials are found, and what was found.", weight=70),
    _at("welcome.profile P", "screen.profile", "profile", "Choose another AWS profile.", weight=60),
    _at("welcome.close escape", "screen.close", "go on", "Go on without credentials.", weight=50),
    _at("welcome.quit q", "app.quit", "quit", "Quit.", weight=40),
)
# fmt: on

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}
