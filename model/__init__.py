"""The brain-tumour classifier: preprocessing, network, training, evaluation and run time.

Importing this package loads neither Keras nor TensorFlow: the server needs only
`model.inference.classifier`, and the training modules import Keras where they use it.
"""
