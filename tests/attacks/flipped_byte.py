"""One byte of journal.redb is changed, at many places one after another: never a panic, always an error that says where."""

import os

from installation import Installation, binary, report

PLACES = 120

with Installation(binary()) as it:
    for number in range(60):
        it.made_by("/v1/tokens", {"name": f"t{number}"})
    it.server.stop()
    path = os.path.join(it.data, "journal.redb")
    with open(path, "rb") as file:
        whole = file.read()
    worst = None
    for place in range(PLACES):
        # The head of the file densely, the rest evenly.
        at = place * 4 if place < 40 else len(whole) * (place - 40) // (PLACES - 40)
        damaged = bytearray(whole)
        damaged[at] ^= 1 << place % 8
        with open(path, "wb") as file:
            file.write(damaged)
        done = it.run("journal", "verify", "--data", it.data, check=False)
        said = done.stderr + done.stdout
        clear = any(word in said for word in ("journal.redb", "sequence ", it.data))
        if "panicked" in said or done.returncode not in (0, 1) or (done.returncode == 1 and not clear):
            worst = f"byte {at}: exit {done.returncode}, {said.strip().splitlines()[0] if said.strip() else 'silent'}"
            break
    report("flipped_byte", worst is None, worst or f"{PLACES} places, each verified or named")
