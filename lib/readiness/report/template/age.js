"use strict";
// Says how old each run is at the moment of reading; without scripts its time stands there.
for (const time of document.querySelectorAll("time[datetime]")) {
  const hours = (Date.now() - Date.parse(time.dateTime)) / 3.6e6;
  if (hours >= 0) {
    const age = hours < 48 ? `${Math.floor(hours)} h` : `${Math.floor(hours / 24)} days`;
    time.append(` (${age} ago)`);
  }
}
