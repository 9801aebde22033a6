"""The constants of the one preprocessing that both engines share.

Values of torchvision's ``ResNet18_Weights.IMAGENET1K_V1.transforms()``; per channel (R, G, B), on values 0..1.
"""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# In words, for model cards.
PREPROCESSING = "shorter side to 256 px (antialiased bilinear), centre crop 224, ImageNet mean and std"
