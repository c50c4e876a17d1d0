"""Rules of the channel, each broken in one place. Every one has to be caught by the property that is named with it.

A mutant replaces text that must occur exactly once in its module, so that a change of the code that makes it meaningless is
noticed. Mutants that only unit tests could catch are not here.
"""

from channel_kit.loading import Mutant

PIPE = (
    Mutant(
        "the last block that was delivered is taken again",
        "windows",
        "known = min(self.next, following) - first",
        "known = min(self.next - 1, following) - first",
    ),
    Mutant(
        "of a partial duplicate everything is delivered",
        "windows",
        "batch = cut(batch, self.next)",
        "pass",
    ),
    Mutant(
        "a gap of one is overlooked", "windows", "return first > self.next", "return first > self.next + 1"
    ),
    Mutant(
        "a new epoch may begin anywhere", "windows", "return epoch > self.epoch and first > 1", "return False"
    ),
    Mutant(
        "late blocks of an old epoch are delivered",
        "windows",
        "elif batch.epoch < self.epoch:",
        "elif False:",
    ),
    Mutant(
        "one block too many is released",
        "windows",
        "min(entry.count, max(0, sqn - entry.first + 1))",
        "min(entry.count, max(0, sqn - entry.first + 2))",
    ),
    Mutant("what is released is kept", "windows", "if gone < entry.count:", "if gone <= entry.count:"),
    Mutant(
        "a release forgets that only a part of a frame was released",
        "windows",
        "self.count -= gone - entry.gone",
        "self.count -= gone",
    ),
    Mutant(
        "the frame that begins with the wanted block is not replayed",
        "windows",
        "while sent and (sent[-1].epoch, sent[-1].last) >= position:",
        "while sent and (sent[-1].epoch, sent[-1].last) > position:",
    ),
    Mutant(
        "what the receiver has is skipped, and one more",
        "windows",
        "(entry.epoch == epoch and entry.last < wanted)",
        "(entry.epoch == epoch and entry.last <= wanted)",
    ),
    Mutant(
        "a restarted job forgets a block that was not released",
        "windows",
        "blocks = blocks[known - first + 1 :]",
        "blocks = blocks[known - first + 2 :]",
    ),
    Mutant(
        "the first block of an epoch has no reset bit", "windows", "head | WIRE_RESET, times", "head, times"
    ),
    Mutant(
        "every block has the reset bit",
        "windows",
        "        head &= ~WIRE_RESET\n        times",
        "        times",
    ),
    Mutant("a new epoch goes on numbering", "windows", "        self.last = 0\n", "        pass\n"),
    Mutant(
        "a lone block is not kept",
        "windows",
        "        self._sent.append(entry)\n        self.count += 1\n",
        "        self.count += 1\n",
    ),
    Mutant(
        "a lone block overtakes those that wait",
        "windows",
        "            self._queue\n            or not last\n",
        "            not last\n",
    ),
    Mutant(
        "the window is full with a single large block",
        "windows",
        "if self.size < self._retain or self.count < self._least:",
        "if self.size < self._retain:",
    ),
    Mutant(
        "an END is not said again", "sender", "self._greet = self._end_sent = False", "self._greet = False"
    ),
    Mutant(
        "the last block's acknowledgement counts for the END",
        "sender",
        "self._window.acknowledged >= self._end",
        "self._window.acknowledged >= self.written",
    ),
    Mutant(
        "the END overtakes what waits",
        "sender",
        "not self._end_sent and not window.waiting",
        "not self._end_sent",
    ),
    Mutant(
        "a superseded sender is accepted", "receiver", "if frame.incarnation < self.incarnation:", "if False:"
    ),
    Mutant(
        "only the same incarnation is accepted again, not remembered",
        "receiver",
        "self.incarnation = frame.incarnation",
        "pass",
    ),
    Mutant(
        "WELCOME asks for one block too few",
        "receiver",
        "Welcome(*self.wanted, repeat",
        "Welcome(self.wanted[0], self.wanted[1] + 1, repeat",
    ),
    Mutant(
        "a missing reset bit is overlooked",
        "receiver",
        "if batch.first == 1 and not batch.head & WIRE_RESET:",
        "if False:",
    ),
    Mutant(
        "an acknowledgement that was lost is never repeated",
        "receiver",
        "self._reported = self._worked_off_told = (0, 0)",
        "self._worked_off_told = (0, 0)",
    ),
    Mutant(
        "more is acknowledged than was released",
        "receiver",
        "self._reported = self._released",
        "self._reported = self.wanted",
    ),
    Mutant("acknowledgements wait for ever", "receiver", "return now >= self._report_bound", "return False"),
)

LIVE = (
    Mutant(
        "a live queue grows without end", "lossy_windows", "excess = self.waiting - self._limit", "excess = 0"
    ),
    Mutant(
        "drops are not counted",
        "lossy_windows",
        "        self._counters.dropped += count\n        return count\n",
        "        return count\n",
    ),
    Mutant("the newest are dropped", "lossy_windows", "entry = self._queue[0]", "entry = self._queue[-1]"),
    Mutant(
        "a shortened frame keeps its first number",
        "retained",
        "        self.first += count\n",
        "",
    ),
    Mutant(
        "a live job is made to wait",
        "lossy_windows",
        'return False\n\n    def write(self, blocks: list[Payload], head: int, mono: float, wall: float) -> int:\n        """Number the blocks and queue them; drop the oldest that wait',
        'return self.waiting > 2\n\n    def write(self, blocks: list[Payload], head: int, mono: float, wall: float) -> int:\n        """Number the blocks and queue them; drop the oldest that wait',
    ),
    Mutant(
        "the end of a live pipe is not acknowledged",
        "receiver",
        "if self._live and (self._window.end is None or self._released < self._window.end):",
        "if self._live:",
    ),
    Mutant(
        "more is sent than the receiver has room for",
        "lossy_windows",
        "if self._queue[0].count > room:",
        "if False:",
    ),
    Mutant("room is never taken", "lossy_windows", "self._sent_ahead += entry.count", "pass"),
    Mutant(
        "room is never given back",
        "lossy_windows",
        "self._sent_ahead -= ahead.popleft()[1]",
        "ahead.popleft()",
    ),
    Mutant(
        "nobody is told that there is room",
        "receiver",
        "elif self._room and self._makes_room():",
        "elif False:",
    ),
)

JOIN = (
    Mutant(
        "a dummy has no corrupted bit",
        "join",
        "queue.append_stand_ins(WIRE_CORRUPTED, payload",
        "queue.append_stand_ins(0, payload",
    ),
    Mutant(
        "a dummy of the first block has no reset bit",
        "join",
        "WIRE_CORRUPTED | WIRE_RESET, payload",
        "WIRE_CORRUPTED, payload",
    ),
    Mutant(
        "a gap is filled with one dummy too few",
        "join",
        "missing = batch.first - one.last - 1",
        "missing = max(0, batch.first - one.last - 2)",
    ),
    Mutant(
        "no epoch is waited for",
        "join",
        "epoch = min(one.later[0][0] for one in inputs)",
        "epoch = max(one.later[0][0] for one in inputs)",
    ),
    Mutant(
        "an epoch begins when one input is there",
        "join",
        "if not all(one.later and",
        "if not any(one.later and",
    ),
    Mutant(
        "rounds go on numbering in a new epoch",
        "join",
        "self._epoch, self._round = epoch, 1",
        "self._epoch = epoch",
    ),
    Mutant(
        "blocks after a finished one are used",
        "join",
        "            one.ended = True\n            if len",
        "            if len",
    ),
    Mutant(
        "an ended input that has moved on finishes the join",
        "join",
        "one.ended and not one.later and",
        "one.ended and",
    ),
    Mutant("stretches mix heads", "ranges", "if last.head == head and last.blocks", "if last.blocks"),
    Mutant(
        "a stretch begins where the last one began",
        "ranges",
        "        del blocks[:count]  # what has been taken may be large\n",
        "",
    ),
    Mutant("a lone batch makes a round of every block", "join", "if one.rule.block_count != 1 or", "if"),
    Mutant(
        "a lone batch hides that its input has finished",
        "join",
        "or one.ended or head & WIRE_FINISHED:",
        "or one.ended:",
    ),
    Mutant(
        "dummies repeat a dummy's neighbor of another input's kind",
        "join",
        "payload = frozen(known if one.rule.dummy is None else one.rule.dummy)",
        "payload = frozen(one.rule.initial)",
    ),
    Mutant(
        "an epoch is never given up",
        "join",
        "if any(one.speechless for one in self._inputs):",
        "if False:",
    ),
    Mutant(
        "an epoch is given up although there is a block to repeat",
        "join",
        "self.rule.dummy is None and self.queue.newest is None",
        "self.rule.dummy is None",
    ),
)

TIMED = (
    Mutant(
        "a deadline passes too early",
        "join",
        "if due is None or now < due:",
        "if due is None or now < due - 0.2:",
    ),
    Mutant("a deadline never passes", "join", "if due is None or now < due:", "if due != LONG_AGO:"),
    Mutant(
        "a late block is used twice",
        "join",
        "                if not one.later:\n                    one.last += missing\n",
        "",
    ),
    Mutant("late blocks are not counted", "join", "            one.late -= missing\n", ""),
)

GRAPH = (
    Mutant(
        "rounds are released before their outputs are",
        "ledger",
        "return min(self._outputs.values(), default=self._computed)",
        "return self._computed",
    ),
    Mutant(
        "rounds are released when one output is",
        "ledger",
        "return min(self._outputs",
        "return max(self._outputs",
    ),
    Mutant(
        "rounds are released before their state is stored", "ledger", "if not self._stateful:", "if True:"
    ),
    Mutant(
        "the checkpoint after the outputs counts",
        "ledger",
        "index = bisect_right(self._stored, bound)",
        "index = min(len(self._stored), bisect_right(self._stored, bound) + 1)",
    ),
    Mutant(
        "an input is released by rounds, not by blocks",
        "ledger",
        "(epoch, number * count)",
        "(epoch, number)",
    ),
    Mutant(
        "one round too many is released on the inputs",
        "ledger",
        "(epoch, number * count)",
        "(epoch, number * count + (number > 3))",
    ),
    Mutant("nothing is ever released", "ledger", "if point == self._reported:", "if point:"),
    Mutant("the newest checkpoint is always taken", "ledger", "if bound is None or p <= bound", "if True"),
    Mutant(
        "the newest checkpoint is taken although a receiver has forgotten what it has",
        "ledger",
        "return min((one for one in stored",
        "return max((one for one in stored",
    ),
    Mutant("a receiver that has forgotten is not minded", "ledger", "return unknown or not", "return not"),
    Mutant(
        "a job that has forgotten begins where not all senders can",
        "ledger",
        "return max(((epoch, -(-number",
        "return min(((epoch, -(-number",
    ),
    Mutant(
        "a sender that may begin anywhere does not come back",
        "sender",
        "self._greet = self._greet or (self._anywhere and self._connection.state is _S.GREETING)",
        "pass",
    ),
    Mutant("a restarted job numbers from 1 again", "windows", "        self.epoch, self.last = after\n", ""),
    Mutant(
        "a finished job's inputs are never told",
        "receiver",
        "            self._say_done = True\n",
        "            pass\n",
    ),
)
