"""Does the measure measure? Known damage to true images, in rising doses, and every metric's answer."""
