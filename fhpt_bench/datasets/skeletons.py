"""Names and orders of the points. Order facts: OpenPose-COCO 18, OpenPose hand 21."""

BODY18 = (
    "nose", "neck", "r_shoulder", "r_elbow", "r_wrist", "l_shoulder", "l_elbow", "l_wrist", "r_hip", "r_knee",
    "r_ankle", "l_hip",
    "l_knee", "l_ankle", "r_eye", "l_eye", "r_ear", "l_ear",
)  # fmt: skip
"""18 body points. Left and right are the person's own."""

BODY18_FLIP = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)
"""Where each point's mirror image stands in BODY18."""

HAND21 = (
    "wrist",
    *(f"{finger}{joint}" for finger in ("thumb", "index", "middle", "ring", "little") for joint in (1, 2, 3, 4)),
)
"""21 hand points from the wrist outwards, thumb first."""

CIHP20 = (
    "background", "hat", "hair", "glove", "sunglasses", "upper_clothes", "dress", "coat", "socks", "pants",
    "torso_skin", "scarf",
    "skirt", "face", "left_arm", "right_arm", "left_leg", "right_leg", "left_shoe", "right_shoe",
)  # fmt: skip
"""The 20 parsing classes of CIHP, by index."""

FACE_POINTS = (
    "r_brow_outer", "r_brow_middle", "r_brow_inner", "l_brow_inner", "l_brow_middle", "l_brow_outer",
    "r_eye_outer", "r_eye_top", "r_eye_inner", "r_eye_bottom", "l_eye_inner", "l_eye_top", "l_eye_outer",
    "l_eye_bottom",
    "nose_bridge", "nose_tip", "nose_base", "r_nostril", "l_nostril",
    "mouth_right", "mouth_top", "mouth_left", "mouth_bottom",
    "jaw_right_upper", "jaw_right", "jaw_right_lower", "chin", "jaw_left_lower", "jaw_left", "jaw_left_upper",
)  # fmt: skip
"""30 face points. Left and right are the person's own. dlib's five alignment points are ``FACE_ALIGN5``."""

FACE_ALIGN5 = ("l_eye_outer", "l_eye_inner", "r_eye_outer", "r_eye_inner", "nose_base")
"""The five points that dlib's 5-point model aligns by, in its order (image right to left: the person's left eye
first)."""
